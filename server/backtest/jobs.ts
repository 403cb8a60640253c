/** What is asked of a backtest thread, and what it says. Everything in it survives a structured clone. */
import type { LogLevel } from "../config.ts";
import type { SqlAddress } from "../log/connection.ts";
import type { AlertRow } from "../store/store.ts";

/** Readings of one call: minutes of work. */
export const MAX_READINGS = 100_000_000;
export const MAX_SENSORS = 10_000;
/** Pictures are kept in memory until their sensor is done. */
export const MAX_PICTURES = 50;
/** Newest readings that an explanation is computed from: a few seconds of work. */
export const EXPLAIN_READINGS = 500_000;
/** Newest readings of a sensor that the effect of a label is computed from, twice. */
export const LABEL_READINGS = 1_000_000;

/** How the platform judges: the same for all its threads. */
export interface JudgeSettings {
  readonly threshold: number;
  readonly alarmsPerSensorDay: number;
  readonly runtime: string;
  readonly modelPath: string | undefined;
}

export interface ThreadData extends JudgeSettings {
  readonly address: SqlAddress;
  readonly logLevel: LogLevel;
  readonly job: Job;
}

export type Job = RangeJob | ExplainJob | LabelJob;

/** An event that is known to have happened; both ends inclusive, microseconds. */
export interface KnownEvent {
  readonly sensorId: string;
  readonly fromUs: number;
  readonly untilUs: number;
}

export interface RangeJob {
  readonly kind: "range";
  readonly sensorIds: readonly string[];
  readonly fromUs: number;
  /** Infinity: to the end. */
  readonly toUs: number;
  /** A `DetectorConfig` in binary form. */
  readonly config: Uint8Array | undefined;
  /** In place of the platform's. */
  readonly threshold: number | undefined;
  readonly events: readonly KnownEvent[];
  readonly includeReadings: boolean;
  readonly pictureColumns: number;
}

/** The reading is in the store. */
export interface ExplainJob {
  readonly kind: "explain";
  readonly sensorId: string;
  readonly id: number;
  readonly timeUs: number;
}

export interface LabelJob {
  readonly kind: "label";
  readonly sensorId: string;
  readonly alertId: number;
  readonly detector: string;
  /** Null: the label is taken back. */
  readonly correct: boolean | null;
  /** From when on alerts are compared, and the label is taken to have been there. */
  readonly sinceUs: number;
}

export interface Explained {
  /** Surprise of each detector, by index into REASONS. */
  readonly surprise: Float64Array;
  readonly weight: Float64Array;
  /** NaN where the sensor was too young. */
  readonly bar: number;
  /** What came of votes and rules, in the unit of the bar. */
  readonly total: number;
  readonly young: boolean;
  /** While young: the type whose prior counts, "" for that of unknown types. */
  readonly prior: string | undefined;
  /** How many times dearer an alarm is for want of readings. */
  readonly coldness: number;
  /** Whether the same score, bounds and verdict came out as are stored. */
  readonly reproduced: boolean;
  readonly readings: number;
  readonly whole: boolean;
  /** Whether a maintenance window covered it. */
  readonly judged: boolean;
}

export interface LabelEffect {
  readonly avoided: readonly AlertRow[];
  readonly added: readonly AlertRow[];
  readonly readings: number;
  readonly whole: boolean;
}

export type FromThread =
  /** A `BacktestResponse` in binary form. */
  | { readonly kind: "response"; readonly bytes: Uint8Array }
  | { readonly kind: "explained"; readonly result: Explained }
  | { readonly kind: "effect"; readonly result: LabelEffect }
  /** The caller's mistake, or a limit: a sentence. */
  | { readonly kind: "refused"; readonly error: "invalid" | "exhausted"; readonly message: string };

/** Responses that may wait for their reader. */
export const WAITING_RESPONSES = 4;
