import { type Calendar, calendarOf, type Holidays, type ZoneRules } from "./calendar.ts";
import type { SignalKind } from "./signal-kind.ts";

/** Sides of what is expected on which a reading may be abnormal. */
export type Direction = "both" | "high" | "low";

/** Settings of all types, of a type or of a sensor, as the contract's DetectorConfig. An absent field is that of the next wider layer. */
export interface DetectorSettings {
  /** How many alarms per sensor and day are acceptable on normal data. Default 0.1. */
  readonly alarmsPerSensorDay?: number | undefined;
  /** Values outside are physically impossible, in the sensor's unit. Default: none. */
  readonly rangeMin?: number | undefined;
  readonly rangeMax?: number | undefined;
  /** Changes faster than this are impossible, in units per second. Default: none. */
  readonly maxRatePerSecond?: number | undefined;
  /** A value unchanged for this long is stuck. Default: learnt from the sensor. */
  readonly stuckSeconds?: number | undefined;
  /** No reading for this long is silence. Default: learnt from the sensor's own intervals. */
  readonly silenceSeconds?: number | undefined;
  /** True where the value only grows and starts again from zero: judged by its rate per second. Default: recognised. */
  readonly counter?: boolean | undefined;
  /** What is said of its signal. Where `counter` is absent it decides: yes of a counter, no of all else. Default: recognised. */
  readonly signalKind?: SignalKind | undefined;
  /** Where a reading is reported as abnormal. What has no side counts on either: broken limits, stuck values, silence. Default both. */
  readonly direction?: Direction | undefined;
  /** True where nothing of the sensor is reported, silence neither. It goes on learning. */
  readonly off?: boolean | undefined;
  /** The time zone that the courses of day and week follow. Default UTC. */
  readonly zone?: ZoneRules | undefined;
  /** Days that run like a day of rest. Default none. */
  readonly holidays?: Holidays | undefined;
  /** How far ahead a sensor that is heading for an end of its range is told of, in hours; 0: not at all. Default 12. */
  readonly earlyAlertHours?: number | undefined;
}

/** With every default filled in; what is not set can never be reached. */
export interface Settings {
  readonly alarmsPerSensorDay: number;
  readonly rangeMin: number;
  readonly rangeMax: number;
  readonly maxRatePerUs: number;
  readonly stuckUs: number;
  /** NaN: learnt. */
  readonly silenceUs: number;
  /** Whether the growth per second is judged, as the kernel takes it: 0 no, 1 yes, 2 where a counter is recognised. */
  readonly counter: number;
  /** What is reported, as the kernel takes it: 1 above what is expected, 2 below it, 3 both, 0 nothing. */
  readonly sides: number;
  /** Undefined: UTC without holidays. */
  readonly calendar: Calendar | undefined;
  /** 0: no early alerts. */
  readonly earlyAlertUs: number;
}

/** What early alerts are about; an infinite end of the range is none. */
export type LimitsAhead = Pick<Settings, "rangeMin" | "rangeMax" | "earlyAlertUs">;

/** Settings of a type. */
export interface TypeSettings {
  readonly settings: DetectorSettings;
  /** Whether fields that are absent are those of all types; else they are the platform's. */
  readonly inherits: boolean;
}

const SIDES: Readonly<Record<Direction, number>> = { both: 3, high: 1, low: 2 };

export const DEFAULT_BUDGET = 0.1;
export const DEFAULT_EARLY_ALERT_HOURS = 12;
export const LEAST_EARLY_ALERT_HOURS = 0.25;

/** One set of settings, field by field: of each the first that is there. Undefined layers have none. */
export function layerSettings(layers: readonly (DetectorSettings | undefined)[]): DetectorSettings {
  const found: Record<string, unknown> = {};
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer ?? {})) found[name] ??= value;
  }
  return found;
}

export function resolveSettings(settings: DetectorSettings, budget: number): Settings {
  return {
    alarmsPerSensorDay: settings.alarmsPerSensorDay ?? budget,
    rangeMin: settings.rangeMin ?? Number.NEGATIVE_INFINITY,
    rangeMax: settings.rangeMax ?? Number.POSITIVE_INFINITY,
    maxRatePerUs: (settings.maxRatePerSecond ?? Number.POSITIVE_INFINITY) / 1e6,
    stuckUs: (settings.stuckSeconds ?? Number.POSITIVE_INFINITY) * 1e6,
    silenceUs: (settings.silenceSeconds ?? Number.NaN) * 1e6,
    counter: settings.counter === undefined ? byKind(settings.signalKind) : Number(settings.counter),
    sides: settings.off ? 0 : SIDES[settings.direction ?? "both"],
    calendar: calendarOf(settings.zone, settings.holidays),
    earlyAlertUs: earlyAlertUs(settings.earlyAlertHours ?? DEFAULT_EARLY_ALERT_HOURS),
  };
}

const HOUR_US = 3_600_000_000;
const RECOGNISED_COUNTER = 2;

/** By less than a quarter of an hour nobody could act, and the steps that a course is seen by would be seconds. */
function earlyAlertUs(hours: number): number {
  return hours === 0 ? 0 : Math.max(hours, LEAST_EARLY_ALERT_HOURS) * HOUR_US;
}

function byKind(kind: SignalKind | undefined): number {
  return kind === undefined ? RECOGNISED_COUNTER : Number(kind === "counter");
}

/** A number that stands for a sensor type in saved state, the same in every process (FNV-1a over UTF-16 units). */
export function typeNumber(sensorType: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < sensorType.length; i++) hash = Math.imul(hash ^ sensorType.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
