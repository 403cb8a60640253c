/** What a receiver is told: the alerts of one group, as they are when it is sent. */

/** An alert as routes and messages see it. */
export interface NotifiedAlert {
  /** The alert's id; unique in an installation. */
  readonly id: string;
  /** By these it is routed, grouped and silenced. Names are those of `labels.ts`. */
  readonly labels: Readonly<Record<string, string>>;
  /** For people: `summary`, `description`, `runbook_url` … */
  readonly annotations: Readonly<Record<string, string>>;
  readonly status: "firing" | "resolved";
  /** Microseconds since the epoch. */
  readonly startsUs: number;
  /** Absent while it is open. */
  readonly endsUs?: number;
  /** Where people see what raised it, if another program sent it and named a place. */
  readonly generatorUrl?: string;
  /** Where this receiver acts on it without signing in; absent where it cannot. */
  readonly actUrl?: string;
  /** The severity that this channel was told last, where it is another than now. */
  readonly toldSeverity?: string;
}

/** A channel that did not take a message. */
export interface Fallback {
  readonly receiver: string;
  readonly kind: string;
  /** Without secrets. */
  readonly reason: string;
  /** All receivers that were not told, the first one first. */
  readonly path: readonly string[];
}

export interface Message {
  /** The same for every repetition of this message, and of no other: receivers drop what they have seen. */
  readonly key: string;
  readonly receiver: string;
  /** Identifies the group for as long as it lives; messages of one conversation share it. */
  readonly groupKey: string;
  readonly groupLabels: Readonly<Record<string, string>>;
  /** Labels that all alerts of the message share. */
  readonly commonLabels: Readonly<Record<string, string>>;
  readonly commonAnnotations: Readonly<Record<string, string>>;
  /** "resolved" where every alert of it is. */
  readonly status: "firing" | "resolved";
  /** The worst and newest first, at most as many as a message may carry. */
  readonly alerts: readonly NotifiedAlert[];
  /** Alerts of the group that are not in `alerts`. */
  readonly truncatedAlerts: number;
  /** Of the route by which it is sent, filled in; absent: none. */
  readonly routeLabels?: Readonly<Record<string, string>>;
  /** Why labels of the route are not there. */
  readonly routeLabelTroubles?: readonly string[];
  /** Why it is sent now, in Alertmanager's words; absent: not because of the alerts of one group. */
  readonly why?: string;
  /** Of an escalation, by which it is sent; absent: the route's own receiver is told. */
  readonly escalation?: { readonly name: string; readonly step: number };
  /** What it is about, where that is no alert. */
  readonly notice?: string;
  /** Where another receiver was not told, and this one is instead. */
  readonly fallback?: Fallback;
  /** Whether it is to be sent without pictures: the channel did not take it with one. */
  readonly isPlain?: boolean;
  /** Where people see more; empty where the installation has not been told its own address. */
  readonly externalUrl: string;
}
