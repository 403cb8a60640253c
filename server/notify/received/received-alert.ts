/** Alerts of other programs: what identifies them, and what becomes of one that is sent again. Pure. */
import { createHash } from "node:crypto";
import type { KnownAlert } from "../known-alert.ts";
import type { Labels } from "../matching.ts";

/** The first id that a received alert has: see the migration. No alert of ours has one like it. */
export const FIRST_RECEIVED_ID = 2 ** 53 - 2 ** 42;

/** As it was sent, with what was left out filled in. Times are microseconds since the epoch. */
export interface SentAlert {
  readonly labels: Labels;
  readonly annotations: Readonly<Record<string, string>>;
  readonly generatorUrl: string;
  readonly startsUs: number;
  /** Past: it is over. */
  readonly endsUs: number;
  /** Whether the end was not sent, and follows from the time of sending. */
  readonly isTimeout: boolean;
}

/** One episode: from when it was first sent until it ended. */
export interface Episode extends SentAlert {
  /** When it ended; undefined: it is open. */
  readonly closedUs: number | undefined;
}

/** What is known of an episode in the store. */
export interface StoredEpisode extends Episode {
  readonly id: number;
  readonly fingerprint: string;
  readonly updatedUs: number;
  readonly acknowledgedUs: number | undefined;
  readonly acknowledgedBy: string | undefined;
}

/** The episode after an alert with its labels was sent. */
export interface Sent {
  /** The one that was open, as it is now; undefined: there was none. */
  readonly before: Episode | undefined;
  /** A new one; undefined: none begins. */
  readonly begun: Episode | undefined;
  /** Whether notifications have to hear of what is in `before`: of a new one they always have. */
  readonly isNews: boolean;
}

/** What an alert is known by: the same for the same labels, and for no others, whoever chooses them. */
export function labelHash(labels: Labels): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha256").update(JSON.stringify(pairs)).digest("base64url");
}

/**
 * Alertmanager's rules: one that is open keeps its earliest start, takes the newest annotations, and an end that was sent holds until a later
 * one. One that is over is another episode. That one is over which nobody has heard of, or whose next episode has begun, changes nothing.
 */
export function send(open: Episode | undefined, alert: SentAlert, nowUs: number): Sent {
  if (open !== undefined && open.endsUs <= nowUs) {
    const { begun } = send(undefined, alert, nowUs);
    return { before: { ...open, closedUs: open.endsUs }, begun, isNews: true };
  }
  if (alert.endsUs > nowUs) {
    if (open === undefined) return { before: undefined, begun: { ...alert, closedUs: undefined }, isNews: false };
    const before = merged(open, alert);
    return { before, begun: undefined, isNews: isChanged(open, before) };
  }
  if (open === undefined || alert.endsUs < open.startsUs) return { before: open, begun: undefined, isNews: false };
  return { before: { ...open, endsUs: alert.endsUs, closedUs: alert.endsUs }, begun: undefined, isNews: true };
}

function merged(open: Episode, alert: SentAlert): Episode {
  const keepsEnd = open.endsUs > alert.endsUs && !open.isTimeout;
  return {
    ...alert,
    startsUs: Math.min(open.startsUs, alert.startsUs),
    endsUs: keepsEnd ? open.endsUs : alert.endsUs,
    isTimeout: keepsEnd ? false : alert.isTimeout,
    closedUs: undefined,
  };
}

function isChanged(a: Episode, b: Episode): boolean {
  return (
    a.startsUs !== b.startsUs ||
    a.generatorUrl !== b.generatorUrl ||
    labelHash(a.annotations) !== labelHash(b.annotations)
  );
}

/** Words that rules use, by our severities. Whatever is none of them is the least. */
const SEVERITIES: ReadonlyMap<string, string> = new Map([
  ...["critical", "page", "emergency", "fatal", "disaster"].map((word) => [word, "critical"] as const),
  ...["high", "error", "major"].map((word) => [word, "high"] as const),
  ...["medium", "warning", "warn", "minor", "average"].map((word) => [word, "medium"] as const),
]);

/** Never empty: see `Told`. It orders alerts in a message; the label stays as it was sent. */
export function severityOf(labels: Labels): string {
  return SEVERITIES.get((labels.severity ?? "").toLowerCase()) ?? "low";
}

export function toKnownAlert(episode: StoredEpisode): KnownAlert {
  const { id, labels, annotations, generatorUrl, startsUs, closedUs, acknowledgedUs } = episode;
  return {
    id: String(id),
    ...{ labels, annotations, startsUs },
    severity: severityOf(labels),
    isAcknowledged: acknowledgedUs !== undefined,
    status: closedUs === undefined ? "firing" : "resolved",
    ...(closedUs === undefined ? {} : { endsUs: closedUs }),
    ...(generatorUrl === "" ? {} : { generatorUrl }),
  };
}
