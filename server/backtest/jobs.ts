/** Jobs and messages of a backtest thread. Everything in it survives a structured clone. */
import type { LogLevel } from "../config.ts";
import type { Recognised } from "../detect/index.ts";
import type { Crossing, Limit } from "../forecast/crossing.ts";
import type { SqlAddress } from "../postgres/connection.ts";
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
/** Time over which a label's effect is computed. */
export const LABEL_US: number = 30 * 86_400_000_000;

/** Newest readings of a sensor that the effect of other settings is computed from, twice. */
export const PREVIEW_READINGS = 1_000_000;
/** Sensors of one preview: those with the newest readings. */
export const PREVIEW_SENSORS = 100;
/** Alerts of a preview named one by one, of each kind; counts are always complete. */
export const NAMED_ALERTS = 100;

/** Newest readings of a sensor on which forecasts are checked. */
export const FORECAST_READINGS = 50_000;

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

export type Job = RangeJob | ExplainJob | LabelJob | PreviewJob | ForecastJob;

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
  /** When the label is made. Alerts are compared, and the label is taken to have been there, over the 30 days up to then, or up to the sensor's newest reading where that is older. */
  readonly nowUs: number;
}

export interface PreviewJob {
  readonly kind: "preview";
  /** A `DetectorConfig` in binary form: the scope, and the settings to try for it. */
  readonly config: Uint8Array;
  /** As of a label. */
  readonly nowUs: number;
  /** No sensor is begun, and none goes on past a page, after this time of the wall clock, milliseconds since 1970. */
  readonly untilMs: number;
}

export interface ForecastJob {
  readonly kind: "forecast";
  readonly sensorId: string;
  /** How far, and at how many times. */
  readonly aheadUs: number;
  readonly points: number;
  readonly limits: readonly Limit[];
}

export interface Forecasted {
  readonly newestUs: number;
  /** Expected, then both ends of the intervals of 50, 80 and 95 %. */
  readonly points: readonly { readonly timeUs: number; readonly quantiles: readonly number[] }[];
  readonly crossings: readonly Crossing[];
  /** Readings that it is computed from, and earlier forecasts of each time ahead that were checked. */
  readonly readings: number;
  readonly checked: number;
  /** How far ahead the history allows; 0: not at all. */
  readonly farthestUs: number;
  /** Whether it is a counter, of which there is no forecast. */
  readonly judgesRate: boolean;
}

export interface Explained {
  /** Raw score of each detector, by index into REASONS. */
  readonly rawScore: Float64Array;
  readonly weight: Float64Array;
  /** Raw score from which a reading is anomalous; NaN where it was not judged. */
  readonly threshold: number;
  /** Total of votes and rules, in the unit of the threshold. */
  readonly total: number;
  /** Abnormal, and not reported: on the side that the settings leave out, or the sensor is off. */
  readonly muted: boolean;
  /** Abnormal, and not reported: it is the first day of a sensor that has rested at zero, and begins to move. */
  readonly wakes: boolean;
  readonly coldStart: boolean;
  /** During the cold start: the type whose prior counts, "" for that of unknown types. */
  readonly prior: string | undefined;
  /** How many times dearer an alarm is for want of readings. */
  readonly coldStartFactor: number;
  /** From so many readings on that is hardly more than once. */
  readonly steadyReadings: number;
  /** Time that the readings before it span, microseconds. */
  readonly spanUs: number;
  /** Whether the same score, bounds and verdict came out as are stored. */
  readonly reproduced: boolean;
  readonly readings: number;
  readonly whole: boolean;
  /** Whether a maintenance window covered it. */
  readonly judged: boolean;
  /** The kind of signal, by the readings up to this one. */
  readonly signal: Recognised;
  /** Whether the growth per second is judged, and not the value. */
  readonly judgesRate: boolean;
  /** Since when a sensor of two states was in the one before the reading, microseconds; NaN of all others. */
  readonly inStateSinceUs: number;
}

export interface LabelEffect {
  readonly avoided: readonly AlertRow[];
  readonly added: readonly AlertRow[];
  readonly readings: number;
  readonly whole: boolean;
  /** End of the 30 days over which they are compared. */
  readonly untilUs: number;
}

export interface Preview {
  readonly avoidedCount: number;
  readonly addedCount: number;
  /** The newest NAMED_ALERTS of each. */
  readonly avoided: readonly AlertRow[];
  readonly added: readonly AlertRow[];
  /** Sensors replayed, and those that the settings concern. */
  readonly sensors: number;
  readonly concerned: number;
  readonly readings: number;
  /** Sensors of which only the newest readings were replayed. */
  readonly shortened: number;
  /** Whether the time ran out. */
  readonly outOfTime: boolean;
}

export type FromThread =
  /** A `BacktestResponse` in binary form. */
  | { readonly kind: "response"; readonly bytes: Uint8Array }
  | { readonly kind: "explained"; readonly result: Explained }
  | { readonly kind: "effect"; readonly result: LabelEffect }
  | { readonly kind: "forecast"; readonly result: Forecasted }
  /** What has been found so far; the last one is the result. */
  | { readonly kind: "preview"; readonly result: Preview }
  /** The caller's mistake, or a limit: a sentence. */
  | { readonly kind: "refused"; readonly error: "invalid" | "exhausted"; readonly message: string };

/** Responses that may wait for their reader. */
export const WAITING_RESPONSES = 4;
