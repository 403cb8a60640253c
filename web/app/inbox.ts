/** The list of alerts and what live events do to it. Pure: the page holds the state. */
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import { isOpen, type SeverityName, severityName } from "./severity.ts";

export type Show = "open" | "closed" | "all";

export interface Filter {
  readonly show: Show;
  /** "": any. */
  readonly severity: SeverityName | "";
  /** In sensor, message and detector, without regard to case; "": any. */
  readonly search: string;
  readonly hideAcknowledged: boolean;
}

export interface Inbox {
  /** Newest opened first. */
  readonly rows: readonly Alert[];
  /** New ones that would move what somebody looks at: they come when asked for. */
  readonly waiting: readonly Alert[];
}

export const EMPTY: Inbox = { rows: [], waiting: [] };

export function matches(alert: Alert, { show, severity, search, hideAcknowledged }: Filter): boolean {
  if (show !== "all" && isOpen(alert) !== (show === "open")) return false;
  if (severity !== "" && severityName(alert.severity) !== severity) return false;
  if (hideAcknowledged && alert.acknowledgedAt !== undefined) return false;
  return found(alert, search.trim().toLowerCase());
}

function found({ sensorId, message, detector, sensorType }: Alert, search: string): boolean {
  return search === "" || [sensorId, message, detector, sensorType].some((text) => text.toLowerCase().includes(search));
}

/**
 * An alert as it is now. One that is shown changes in place and stays, whatever the filter says, so that nothing moves under a cursor; a
 * new one comes at its place, or waits where somebody is at work in the list.
 */
export function take(inbox: Inbox, alert: Alert, filter: Filter, busy: boolean): Inbox {
  const { rows, waiting } = inbox;
  if (rows.some(({ id }) => id === alert.id)) return { rows: replaced(rows, alert), waiting };
  if (waiting.some(({ id }) => id === alert.id)) {
    const left = matches(alert, filter) ? replaced(waiting, alert) : waiting.filter(({ id }) => id !== alert.id);
    return { rows, waiting: left };
  }
  if (!matches(alert, filter)) return inbox;
  return busy ? { rows, waiting: placed(waiting, alert) } : { rows: placed(rows, alert), waiting };
}

/** Those that waited, in their places. */
export function release({ rows, waiting }: Inbox): Inbox {
  return { rows: waiting.reduceRight<readonly Alert[]>(placed, rows), waiting: [] };
}

/** A page more of older ones. */
export function append({ rows, waiting }: Inbox, older: readonly Alert[]): Inbox {
  const known = new Set(rows.map(({ id }) => id));
  return { rows: [...rows, ...older.filter(({ id }) => !known.has(id))], waiting };
}

function replaced(list: readonly Alert[], alert: Alert): Alert[] {
  return list.map((each) => (each.id === alert.id ? alert : each));
}

/** Ids grow with time of arrival; the list is by opening, as the platform answers it. */
function placed(list: readonly Alert[], alert: Alert): Alert[] {
  const at = list.findIndex((each) => isOlder(each, alert));
  return at < 0 ? [...list, alert] : [...list.slice(0, at), alert, ...list.slice(at)];
}

function isOlder(a: Alert, b: Alert): boolean {
  const [first, second] = [a, b].map(
    ({ openedAt }) => [openedAt?.seconds ?? 0n, BigInt(openedAt?.nanos ?? 0)] as const,
  );
  if (first![0] !== second![0]) return first![0] < second![0];
  return first![1] === second![1] ? a.id < b.id : first![1] < second![1];
}
