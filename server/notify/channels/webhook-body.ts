/** The body that Alertmanager's webhooks have, version 4, so that what receives these receives ours. */
import { isoTime, toTimestamp } from "../../lib/time.ts";
import type { Message, NotifiedAlert } from "../message.ts";
import type { Picture } from "../pictures/picture.ts";
import { bounded } from "./bounded.ts";
import { fingerprint } from "./fingerprint.ts";
import { MAX_BODY_BYTES } from "./limits.ts";

/** Go's zero time: the alert has not ended. */
const NEVER = "0001-01-01T00:00:00Z";

interface BodyOptions {
  /** 0: as many as have room. */
  readonly maxAlerts: number;
  readonly picture?: Picture | undefined;
  /** Of the body's form. */
  readonly version?: string;
  readonly maxBytes?: number;
}

/** JSON of at most `maxBytes`, unless a single alert has more. */
export function webhookBody(message: Message, options: BodyOptions): Buffer {
  const { maxAlerts, picture, version = "4", maxBytes = MAX_BODY_BYTES } = options;
  for (let most = maxAlerts; ; ) {
    const shown = bounded(message, most);
    const body = Buffer.from(JSON.stringify({ ...payload(shown, message), version, ...pictured(picture) }));
    const count = shown.alerts.length;
    if (body.length <= maxBytes || count <= 1) return body;
    // In proportion, and at least one less: a few rounds for any message.
    most = Math.max(1, Math.min(count - 1, Math.floor((count * maxBytes) / body.length)));
  }
}

/** Ours: of the first alert, where one is wanted and there is one. */
function pictured(picture: Picture | undefined) {
  if (picture === undefined) return {};
  const { png, summary } = picture;
  return { picture: { contentType: "image/png", data: Buffer.from(png).toString("base64"), summary } };
}

function payload(shown: Message, full: Message) {
  return {
    receiver: shown.receiver,
    status: shown.status,
    alerts: shown.alerts.map((alert, at) => alertOf(alert, full.alerts[at]!, shown.externalUrl)),
    groupLabels: shown.groupLabels,
    commonLabels: shown.commonLabels,
    commonAnnotations: shown.commonAnnotations,
    ...(full.routeLabels && { routeLabels: full.routeLabels }),
    ...(full.why !== undefined && { notification_reason: full.why }),
    externalURL: shown.externalUrl,
    groupKey: shown.groupKey,
    truncatedAlerts: shown.truncatedAlerts,
    // Ours: people number steps from 1.
    ...(shown.escalation === undefined
      ? {}
      : { escalation: { name: shown.escalation.name, step: shown.escalation.step + 1 } }),
    ...(shown.fallback === undefined
      ? {}
      : {
          fallback: { receiver: shown.fallback.receiver, channel: shown.fallback.kind, reason: shown.fallback.reason },
        }),
  };
}

function alertOf(shown: NotifiedAlert, full: NotifiedAlert, externalUrl: string) {
  return {
    status: shown.status,
    labels: shown.labels,
    annotations: shown.annotations,
    startsAt: time(shown.startsUs),
    endsAt: shown.endsUs === undefined ? NEVER : time(shown.endsUs),
    generatorURL: full.generatorUrl ?? externalUrl,
    // Ours.
    ...(full.actUrl === undefined ? {} : { actURL: full.actUrl }),
    // Of the labels as they are: two that are shortened to the same stay two alerts.
    fingerprint: fingerprint(full.labels),
  };
}

function time(us: number): string {
  return isoTime(toTimestamp(us));
}
