/** A notification file's routes as a tree, and its receivers, as a person reads them. */
import { counted } from "../../formats/counted.ts";
import { durationText } from "../../formats/duration.ts";
import { channelText, type ReceiverConfig, type Route } from "../../server/notify/index.ts";
import { inert } from "../text.ts";
import { groupByText, matchersText } from "./words.ts";

/** A line for each route. What it has of the route above is not repeated. */
export function treeLines(root: Route): string[] {
  return [describe(root, undefined), ...below(root)];
}

function below(route: Route): string[] {
  return route.routes.flatMap((child, i) => {
    const isLast = i === route.routes.length - 1;
    const [first = "", ...rest] = [describe(child, route), ...below(child)];
    return [`${isLast ? "└─" : "├─"} ${first}`, ...rest.map((line) => `${isLast ? "  " : "│ "} ${line}`)];
  });
}

function describe(route: Route, parent: Route | undefined): string {
  const {
    groupWaitMs,
    groupIntervalMs,
    repeatIntervalMs,
    muteTimeIntervals: mute,
    activeTimeIntervals: active,
  } = route;
  const settings = [
    groupByText(route) !== (parent && groupByText(parent)) && `grouped ${groupByText(route)}`,
    groupWaitMs !== parent?.groupWaitMs && `wait ${durationText(groupWaitMs)}`,
    groupIntervalMs !== parent?.groupIntervalMs && `interval ${durationText(groupIntervalMs)}`,
    repeatIntervalMs !== parent?.repeatIntervalMs && `repeat ${durationText(repeatIntervalMs)}`,
    mute.length > 0 && `muted in ${mute.map(inert).join(", ")}`,
    active.length > 0 && `active in ${active.map(inert).join(", ")}`,
    route.escalation !== (parent?.escalation ?? "") && `escalation ${inert(route.escalation || "none")}`,
    route.continue && "continue",
  ].filter((each) => each !== false);
  const about = settings.length === 0 ? "" : `  (${settings.join("; ")})`;
  return `${matchersText(route)} → ${inert(route.receiver)}${about}`;
}

/** A line for each receiver, with its channels; secrets are not shown. */
export function receiverLines(receivers: readonly ReceiverConfig[]): string[] {
  const width = Math.max(0, ...receivers.map(({ name }) => inert(name).length));
  return receivers.map(({ name, channels, fallback, giveUpAfterMs, maxMessagesPerMinute: most }) => {
    const told =
      channels.length === 0
        ? "nobody: it has no channels"
        : channels.map((channel) => inert(channelText(channel))).join("; ");
    const then = fallback === undefined ? "" : `; after ${durationText(giveUpAfterMs)} ${inert(fallback)} instead`;
    const limit = most === undefined ? "" : `; at most ${counted(most, "message")} a minute`;
    return `${inert(name).padEnd(width)}  ${told}${limit}${then}`;
  });
}
