/** A message of the broker, and what it becomes. */

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Sent for a subscription that began, not because somebody published it just then. */
  readonly retained: boolean;
  /** When it came, microseconds since 1970: the time of its readings where it names none. No two messages have the same. */
  readonly arrivedUs: number;
}

/** A reading as a message gives it. The ingestor checks it against the contract. */
export interface MappedReading {
  readonly sensorId: string;
  readonly sensorType: string;
  readonly unit: string;
  readonly value: number;
  readonly location?: string | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
  /** Microseconds since 1970. */
  readonly observedUs: number;
}

/** Why a message gives no reading: labels of a metric. */
export const SKIP_REASONS = [
  "no_rule", // no filter or rule is for its topic
  "empty", // no payload: what deletes a retained message
  "retained", // an old value without a time
  "too_large",
  "not_a_number", // neither a number nor a JSON object
  "no_value", // an object without a number in the place where the rule looks
  "bad_time", // its timestamp is no time
  "bad_unit", // its unit is no text
  "bad_payload", // no Sparkplug B
  "no_birth", // of a Sparkplug node or device whose birth message is not known
  "bad_config", // a discovery message that cannot be taken
  "other_component", // a discovery message of an entity that has no number, such as a light
  "refused", // the ingestor takes none of its readings
] as const;
export type SkipReason = (typeof SKIP_REASONS)[number];

export interface Skipped {
  readonly skipped: SkipReason;
  /** For people: what was wrong, with which value. */
  readonly detail: string;
}

export type Mapped = Skipped | { readonly readings: readonly MappedReading[]; readonly leftOut?: Skipped | undefined };

/** What a kind of topics means. */
export interface Mapper {
  /** Undefined where the topic is none of its own. */
  map(message: Message): Mapped | undefined;
}

export function skipped(reason: SkipReason, detail: string): Skipped {
  return { skipped: reason, detail };
}

/** Without a time, or for a unit or a type that nobody names: the contract wants one. */
export const DEFAULT_TYPE = "mqtt";
/** UCUM's unit of what has none. */
export const DEFAULT_UNIT = "1";
