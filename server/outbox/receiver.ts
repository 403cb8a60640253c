import type { AlertEvent } from "../../gen/es/telltale/v1/watch_pb.ts";

/** What became of the events that a receiver was given, in their order. */
export type Delivery =
  /** All of them are safe there. */
  | { readonly kind: "ok" }
  /** The first `delivered` are safe there; the rest is given again, after `afterMs` where the receiver names a time. */
  | { readonly kind: "retry"; readonly delivered: number; readonly reason: string; readonly afterMs?: number }
  /** The first `delivered` are safe there; the next one can never be taken and is skipped, with the reason on record. */
  | { readonly kind: "drop"; readonly delivered: number; readonly reason: string };

/**
 * A receiver of alert events. Each has a durable cursor of its own in every partition: it hears every event at least once,
 * a partition's in their order, and waits for no other receiver. A repetition has the same event id.
 */
export interface Receiver {
  /** Its cursor is kept under this name: another name is another receiver, and starts over. */
  readonly name: string;
  /** Where it begins in a partition of which it has no cursor yet. */
  readonly startsAt: "oldest" | "newest";
  /** Delivers at most `EVENTS_AT_ONCE` events of one partition. A rejection is a retry of all of them. Aborted: the process ends. */
  deliver(events: readonly AlertEvent[], signal: AbortSignal): Promise<Delivery>;
  close(): Promise<void>;
}

/** Called with each portion that a receiver was given. */
export interface DeliveryCounts {
  readonly receiver: string;
  readonly delivered: number;
  readonly dropped: number;
  readonly retried: number;
}
