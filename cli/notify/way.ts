/** The way of one alert through the routes, as a person reads it. */
import { durationText } from "../../formats/duration.ts";
import { instantText } from "../../formats/time.ts";
import { groupText, type Muted, mutedBy, type NotifyConfig, type Route } from "../../server/notify/index.ts";
import { inert } from "../text.ts";
import { matchersText } from "./words.ts";

interface Way {
  readonly route: Route;
  readonly labels: Readonly<Record<string, string>>;
  readonly atUs: number;
}

/** The receiver that one of the alert's routes tells, how, and whether it is muted. */
export function wayLines(config: NotifyConfig, { route, labels, atUs }: Way): string[] {
  const { groupWaitMs, groupIntervalMs, repeatIntervalMs } = route;
  const muted = mutedBy(route, config, atUs);
  const told = config.receivers.find(({ name }) => name === route.receiver)?.channels ?? [];
  return [
    `${inert(route.receiver)}${told.length === 0 ? "  (notifies nobody: it has no channels)" : ""}`,
    `  route   ${stepsTo(config.route, route).map(matchersText).join(" / ")}`,
    `  group   ${inert(groupText(route, labels))}`,
    `  timing  first after ${durationText(groupWaitMs)}, news every ${durationText(groupIntervalMs)}, again after ${durationText(repeatIntervalMs)}`,
    ...(muted === undefined ? [] : [`  MUTED   at ${instantText(atUs)}: ${mutedText(muted)}`]),
  ];
}

function mutedText(muted: Muted): string {
  if (muted.kind === "muted") return `within the time interval ${inert(muted.interval)}`;
  return `outside of the time intervals ${muted.intervals.map(inert).join(", ")}`;
}

/** The routes from the root to one. */
function stepsTo(root: Route, { id }: Route): Route[] {
  const steps = [root];
  for (const place of id.split("/").slice(1)) steps.push(steps.at(-1)!.routes[Number(place)]!);
  return steps;
}
