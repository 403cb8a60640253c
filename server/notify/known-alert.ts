import type { NotifiedAlert } from "./message.ts";

/** An alert as the notifier keeps it. */
export interface KnownAlert extends NotifiedAlert {
  /** "low" to "critical". */
  readonly severity: string;
  readonly isAcknowledged: boolean;
}
