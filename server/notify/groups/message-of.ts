import { isDeepStrictEqual } from "node:util";
import type { ChannelConfig, Route } from "../config/config.ts";
import type { KnownAlert } from "../known-alert.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import { filledRouteLabels } from "../templates/route-labels.ts";
import type { Text } from "../templates/template.ts";
import { type Group, isWorse, type Told } from "./group.ts";

/** Alerts in one message: past it a person reads no further, and channels refuse the size. The rest is counted. */
const MAX_ALERTS = 100;
/** For programs, which know each alert by itself: an Alertmanager is sent what is more, and open, when all is sent again. */
const MAX_ALERTS_FOR_PROGRAMS = 1_000;
/** What they are told of first stands first, where their message has no room for all. */
const PROGRAMS: ReadonlySet<string> = new Set<ChannelConfig["kind"]>(["alertmanager", "webhook"]);

export interface MessageContext {
  readonly channel: ChannelConfig<Text>;
  /** What the channel was told before. */
  readonly before: Told | undefined;
  readonly externalUrl: string;
  readonly why: string;
  /** Of the group's route. */
  readonly routeLabels: Route["labels"];
  readonly nowUs: number;
}

/** What the group's channel is told of these alerts. */
export function messageOf(
  group: Group,
  alerts: readonly KnownAlert[],
  { channel, before, externalUrl, why, routeLabels, nowUs }: MessageContext,
): Message {
  const shown = shownOf(alerts, channel, before);
  const message: Message = {
    key: `${group.key}/${group.sequence}`,
    receiver: group.receiver,
    groupKey: group.key,
    groupLabels: group.labels,
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    status: alerts.every(({ status }) => status === "resolved") ? "resolved" : "firing",
    alerts: shown.map(({ id, labels, annotations, status, startsUs, endsUs, generatorUrl, severity }) => ({
      ...{ id, labels, annotations, status, startsUs },
      ...(endsUs === undefined ? {} : { endsUs }),
      ...(generatorUrl === undefined ? {} : { generatorUrl }),
      ...((before?.alerts[id] ?? "") === "" || before!.alerts[id] === severity
        ? {}
        : { toldSeverity: before!.alerts[id]! }),
    })),
    truncatedAlerts: alerts.length - shown.length,
    ...(group.escalation === undefined ? {} : { escalation: group.escalation }),
    ...{ externalUrl, why },
  };
  return { ...message, ...filledRouteLabels(routeLabels, message, nowUs) };
}

/** Beginnings and ends before what was told already: nobody tells of them again. */
function shownOf(
  alerts: readonly KnownAlert[],
  channel: ChannelConfig<Text>,
  before: Told | undefined,
): readonly KnownAlert[] {
  const isKnown = ({ id, status, severity }: KnownAlert) => status === "firing" && before?.alerts[id] === severity;
  const newsFirst = (a: KnownAlert, b: KnownAlert) => Number(isKnown(a)) - Number(isKnown(b)) || worstFirst(a, b);
  const shown = alerts.toSorted(newsFirst).slice(0, mostAlerts(channel));
  return PROGRAMS.has(channel.kind) ? shown : shown.sort(worstFirst);
}

function mostAlerts(channel: ChannelConfig<Text>): number {
  if (!PROGRAMS.has(channel.kind)) return MAX_ALERTS;
  const own = channel.kind === "webhook" && channel.maxAlerts > 0 ? channel.maxAlerts : MAX_ALERTS_FOR_PROGRAMS;
  return Math.min(own, MAX_ALERTS_FOR_PROGRAMS);
}

type Ordered = Pick<KnownAlert, "status" | "severity" | "startsUs">;

/** Open ones first, the worse before the others, then the newest. */
function worstFirst(a: Ordered, b: Ordered): number {
  if (a.status !== b.status) return a.status === "firing" ? -1 : 1;
  if (a.severity !== b.severity) return isWorse(a.severity, b.severity) ? -1 : 1;
  return b.startsUs - a.startsUs;
}

function common(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}, ...rest] = all;
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => rest.every((each) => each[name] === value)),
  );
}

/** One message of several groups to the same channel. `first`: by whose key it is known; `kind`: of the channel. */
export function mergedMessage(messages: readonly Message[], first: Message, kind: ChannelConfig["kind"]): Message {
  const { receiver, externalUrl } = first;
  const troubles = [...new Set(messages.flatMap(({ routeLabelTroubles = [] }) => routeLabelTroubles))];
  // In the messages of programs what they are told of first stands first.
  const places = new Map(messages.flatMap((each) => each.alerts.map(({ id }, place) => [id, place] as const)));
  const placeOf = ({ id }: NotifiedAlert) => (PROGRAMS.has(kind) ? places.get(id)! : 0);
  const alerts = new Map(messages.flatMap((each) => each.alerts).map((alert) => [alert.id, alert]));
  const sorted = [...alerts.values()].sort(
    (a, b) => placeOf(a) - placeOf(b) || worstFirst(withSeverity(a), withSeverity(b)),
  );
  const hidden = messages.reduce((sum, { truncatedAlerts }) => sum + truncatedAlerts, 0);
  const shown = sorted.slice(0, PROGRAMS.has(kind) ? MAX_ALERTS_FOR_PROGRAMS : MAX_ALERTS);
  const isOfOneStep = messages.every(({ escalation }) => isDeepStrictEqual(escalation, first.escalation));
  return {
    ...{ key: `${first.key}/merged`, receiver, groupKey: `merged/${receiver}`, groupLabels: {} },
    commonLabels: common(sorted.map(({ labels }) => labels)),
    commonAnnotations: common(sorted.map(({ annotations }) => annotations)),
    status: messages.every(({ status }) => status === "resolved") ? "resolved" : "firing",
    alerts: shown,
    truncatedAlerts: hidden + sorted.length - shown.length,
    ...(messages.some(({ routeLabels }) => routeLabels !== undefined) && {
      routeLabels: common(messages.map(({ routeLabels = {} }) => routeLabels)),
    }),
    ...(troubles.length > 0 && { routeLabelTroubles: troubles }),
    ...(first.escalation !== undefined && isOfOneStep ? { escalation: first.escalation } : {}),
    externalUrl,
  };
}

function withSeverity(alert: NotifiedAlert) {
  return { ...alert, severity: alert.labels.severity ?? "" };
}
