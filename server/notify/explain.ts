/** Why an alert did or did not reach whom, by what holds now. */

import type { Sql } from "postgres";
import { counted } from "../../formats/counted.ts";
import { durationText } from "../../formats/duration.ts";
import { formatMatcher } from "../../formats/matchers.ts";
import type { NotifyConfig, Route } from "./config/config.ts";
import type { ConfigInForce } from "./config/in-force.ts";
import { isBrokenId } from "./deliveries/broken.ts";
import { type Delivery, FAILED, QUEUED } from "./deliveries/store.ts";
import { findAlert, openAlerts } from "./groups/store.ts";
import { Inhibitor } from "./inhibit.ts";
import { type Muted, mutedBy } from "./intervals.ts";
import type { Labels } from "./matching.ts";
import { escalationLines } from "./oncall/explain.ts";
import { readOverrides } from "./oncall/store.ts";
import { groupText, routesOf } from "./route.ts";
import type { SilencesInForce } from "./silences/in-force.ts";
import type { Silence } from "./silences/silence.ts";

export interface Explanation {
  /** Those that it has now; where nobody is still to hear of it, those of its newest message. */
  labelsWith(deliveries: readonly Delivery[]): Record<string, string>;
  readonly routes: readonly { readonly route: string; readonly receiver: string; readonly mutedBy: string }[];
  /** Those that the asking person may see, as of the alerts below. */
  readonly silences: readonly Silence[];
  /** Alerts' ids. */
  readonly inhibitedBy: readonly string[];
  reasonsWith(deliveries: readonly Delivery[]): string[];
}

const NO_CONFIG_APPLIED =
  "No configuration was applied: nobody is notified of any alert. Apply one with `telltale notify apply FILE`.";
const GONE =
  "Nobody is still to hear of it: it is over, and whoever heard of it was told so; or it opened before notifications began.";
const LAST_LABELS = "The labels are those of its newest message.";
const NO_LABELS = "It has no labels here: they are kept while somebody is still to hear of it, and with its messages.";
const NOTHING = { routes: [], silences: [], inhibitedBy: [] };

export interface InForce {
  readonly config: ConfigInForce;
  readonly silences: SilencesInForce;
}

interface Question {
  readonly alertId: number;
  /** Of whoever asks: silences and alerts of other sensors have an effect, and are not told of. */
  readonly sensorPrefix: string;
  readonly nowUs: number;
}

export async function explain(
  sql: Sql,
  { config: inForce, silences: silencesInForce }: InForce,
  { alertId, sensorPrefix, nowUs }: Question,
): Promise<Explanation> {
  const { stored, config } = await inForce.readable(sql);
  const { revision } = stored;
  const unconfigured = revision === 0 ? [NO_CONFIG_APPLIED] : [];
  const alert = await findAlert(sql, alertId);
  if (alert === undefined) {
    const told = (deliveries: readonly Delivery[]) =>
      deliveries.flatMap(({ message }) => message.alerts).find(({ id }) => id === String(alertId));
    return {
      ...NOTHING,
      labelsWith: (deliveries) => ({ ...told(deliveries)?.labels }),
      reasonsWith: (deliveries) => [
        ...[...unconfigured, GONE, told(deliveries) === undefined ? NO_LABELS : LAST_LABELS],
        ...deliveries.map(fateOf),
      ],
    };
  }
  const taken = routesOf(config.route, alert.labels);
  const overrides = await readOverrides(sql, { endAfterUs: nowUs });
  const escalations = taken.flatMap((route) => escalationLines(route, alert, { config, overrides, nowUs }));
  const routes = taken.map((route) => ({
    route: route.id,
    receiver: route.receiver,
    mutedBy: mutedText(mutedBy(route, config, nowUs)),
  }));
  const matching = (await silencesInForce.read(sql, nowUs)).all(alert.labels, nowUs);
  const isVisible = (silence: Silence) => silence.sensorPrefix.startsWith(sensorPrefix);
  const silences = matching.filter(isVisible);
  const inhibitor = new Inhibitor(config.inhibitRules);
  for (const open of await openAlerts(sql)) inhibitor.open(open);
  const inhibited = inhibitor.inhibitedBy(alert.labels);
  const isForeign = inhibited !== undefined && !(inhibited.source.labels.sensor_id ?? "").startsWith(sensorPrefix);
  const inhibitedBy = inhibited === undefined || isForeign ? [] : [inhibited.source.id];
  const reasonsWith = (deliveries: readonly Delivery[]) => [
    ...unconfigured,
    ...(revision === 0 ? [] : taken).map((route) => routeText(route, alert.labels, config, nowUs)),
    ...escalations,
    ...matching.map((silence) => silenceText(silence, isVisible(silence))),
    ...inhibitedBy.map((id) => (isBrokenId(id) ? "A broken channel inhibits it." : `Alert ${id} inhibits it.`)),
    ...(isForeign ? ["An alert of another sensor inhibits it."] : []),
    ...(deliveries.length === 0 ? ["No message that names it was queued so far."] : deliveries.map(fateOf)),
  ];
  return { labelsWith: () => ({ ...alert.labels }), routes, silences, inhibitedBy, reasonsWith };
}

/** With what it matches, and the group in which the alert is told. */
function routeText(route: Route, labels: Labels, config: NotifyConfig, nowUs: number): string {
  const { id, receiver, matchers, groupWaitMs, groupIntervalMs, repeatIntervalMs } = route;
  const what = matchers.length === 0 ? `Route ${id}` : `Route ${id} (${matchers.map(formatMatcher).join(", ")})`;
  const muted = mutedText(mutedBy(route, config, nowUs));
  if (muted !== "") return `${what} would tell ${receiver}, but its time intervals keep it back now: ${muted}.`;
  const times = [groupWaitMs, groupIntervalMs, repeatIntervalMs].map(durationText);
  const timing = `first after ${times[0]}, news every ${times[1]}, again after ${times[2]}`;
  return `${what} tells ${receiver}${limitOf(config, receiver)}, in the group of ${groupText(route, labels)}: ${timing}.`;
}

function limitOf({ receivers }: NotifyConfig, wanted: string): string {
  const most = receivers.find(({ name }) => name === wanted)?.maxMessagesPerMinute;
  return most === undefined ? "" : `, in at most ${counted(most, "message")} a minute`;
}

function mutedText(muted: Muted | undefined): string {
  if (muted === undefined) return "";
  return muted.kind === "muted" ? muted.interval : `none of ${muted.intervals.join(", ")}`;
}

function silenceText({ id, author, comment, endsUs }: Silence, isVisible: boolean): string {
  if (!isVisible) return `A silence of somebody who sees more sensors keeps it back until ${timeText(endsUs)}.`;
  return `Silence ${id} by ${author} keeps it back: ${comment}`;
}

function timeText(us: number): string {
  return new Date(us / 1_000).toISOString();
}

function fateOf({ receiver, kind, state, attempts, reason, message, createdUs, doneUs, fallbackTo }: Delivery): string {
  const instead = message.fallback === undefined ? "" : ` instead of ${message.fallback.receiver}`;
  const what = `${message.status === "resolved" ? "“Resolved”" : "A message"} to ${receiver} by ${kind}${instead}`;
  const why = reason === "" ? "." : `: ${reason}`;
  if (state === QUEUED) {
    return attempts === 0
      ? `${what} was queued at ${timeText(createdUs)} and is on its way.`
      : `${what} was queued at ${timeText(createdUs)} and not taken in ${counted(attempts, "attempt")}${why}`;
  }
  if (state === FAILED) {
    const then = fallbackTo === "" ? "" : ` ${fallbackTo} is notified instead.`;
    return `${what} was given up at ${timeText(doneUs!)}${why.endsWith(".") ? why : `${why}.`}${then}`;
  }
  return `${what} was taken at ${timeText(doneUs!)}.`;
}
