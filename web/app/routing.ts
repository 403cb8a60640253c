/** Routes of notifications as a tree, and what each has that the one above has not. Pure. */
import type { NotificationRoute } from "../../gen/web/telltale/v1/notification_pb.ts";
import { durationText } from "./format.ts";

export interface RouteNode {
  readonly route: NotificationRoute;
  /** What a person has to know of it, in words; what it shares with the route above is left out. */
  readonly facts: readonly string[];
  readonly below: readonly RouteNode[];
}

/** @param routes each before those below it, as the platform answers them; undefined where there are none */
export function routeTree(routes: readonly NotificationRoute[]): RouteNode | undefined {
  const [root] = routes;
  return root && nodeOf(root, undefined, routes);
}

function nodeOf(
  route: NotificationRoute,
  above: NotificationRoute | undefined,
  routes: readonly NotificationRoute[],
): RouteNode {
  const children = routes.filter(({ id }) => id.slice(0, Math.max(0, id.lastIndexOf("/"))) === route.id);
  return { route, facts: factsOf(route, above), below: children.map((child) => nodeOf(child, route, routes)) };
}

function factsOf(route: NotificationRoute, above: NotificationRoute | undefined): string[] {
  const { muteTimeIntervals: mute, activeTimeIntervals: active } = route;
  const own = (text: (route: NotificationRoute) => string) =>
    above === undefined || text(route) !== text(above) ? [text(route)] : [];
  return [
    ...own(groupText),
    ...own(({ groupWaitMs }) => `first after ${durationText(Number(groupWaitMs))}`),
    ...own(({ groupIntervalMs }) => `news every ${durationText(Number(groupIntervalMs))}`),
    ...own(({ repeatIntervalMs }) => `again after ${durationText(Number(repeatIntervalMs))}`),
    ...(mute.length > 0 ? [`muted in ${mute.join(", ")}`] : []),
    ...(active.length > 0 ? [`only in ${active.join(", ")}`] : []),
    ...(route.escalation === (above?.escalation ?? "") ? [] : [`escalation ${route.escalation || "none"}`]),
    ...(route.continue ? ["further routes are tried"] : []),
  ];
}

function groupText({ groupBy, groupByAll }: NotificationRoute): string {
  if (groupByAll) return "each alert by itself";
  return groupBy.length === 0 ? "all alerts together" : `grouped by ${groupBy.join(", ")}`;
}
