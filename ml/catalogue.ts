import { MINUTE_US } from "../server/lib/time.ts";
import { Random } from "./random.ts";

/**
 * The simulated catalogue: sensors as plants have them, and faults of stated size. FROZEN: the figures of `docs/internals/evaluation.md`
 * stand for this file as it is; a change of it is a new catalogue (raise CATALOGUE_VERSION and evaluate again).
 *
 * Sensors read once a minute for 28 days. Each has a daily course of two harmonics or a work-shift step, weekends that differ
 * (two of three sensors), first-order autocorrelated noise of deviation σ, one lasting change of level of 4σ on day 5 to 9 that
 * is normal, and on one of three sensors a coarse resolution.
 */
export const CATALOGUE_VERSION = 1;
export const CATALOGUE_SEED = 20240101;
export const CATALOGUE_SENSORS = 24;
export const DAYS = 28;
export const PER_DAY = 1440;
/** A Monday. */
const START_US = 1_704_067_200e6;

export interface SimulatedSensor {
  readonly name: string;
  /** Deviation of the noise, in the sensor's unit. */
  readonly sigma: number;
  readonly level: number;
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  /** The daily course alone (with weekends), to take it away or shift it. */
  readonly course: Float64Array;
  readonly noise: Float64Array;
  readonly step: number;
}

export type Fault =
  | "spike"
  | "level shift"
  | "drift"
  | "stuck"
  | "noise burst"
  | "dropout"
  | "lost season"
  | "shifted season"
  | "unit change";

interface FaultKind {
  readonly fault: Fault;
  readonly magnitude: string;
  /** Readings that the fault lasts. */
  readonly readings: number;
  /** Faulty value of reading i of sensor s, k readings after the start. */
  readonly apply: (s: SimulatedSensor, i: number, k: number, sign: number) => number;
}

/** Magnitudes as named; sign is +1 or -1, drawn for each injection. */
export const FAULTS: readonly FaultKind[] = [
  {
    fault: "spike",
    magnitude: "6σ, one reading",
    readings: 1,
    apply: (s, i, _k, sign) => s.value[i]! + sign * 6 * s.sigma,
  },
  {
    fault: "level shift",
    magnitude: "3σ for a day",
    readings: PER_DAY,
    apply: (s, i, _k, sign) => s.value[i]! + sign * 3 * s.sigma,
  },
  {
    fault: "drift",
    magnitude: "3σ a day for two days",
    readings: 2 * PER_DAY,
    apply: (s, i, k, sign) => s.value[i]! + (sign * 3 * s.sigma * k) / PER_DAY,
  },
  { fault: "stuck", magnitude: "2 hours", readings: 120, apply: (s, i, k) => s.value[i - k]! },
  {
    fault: "noise burst",
    magnitude: "×3 for 2 hours",
    readings: 120,
    apply: (s, i) => s.value[i]! + 2 * s.noise[i]!,
  },
  { fault: "dropout", magnitude: "to zero for 10 minutes", readings: 10, apply: () => 0 },
  {
    fault: "lost season",
    magnitude: "course gone for two days",
    readings: 2 * PER_DAY,
    apply: (s, i, k) => s.value[i]! - s.course[i]! + s.course[i - k]!,
  },
  {
    fault: "shifted season",
    magnitude: "course late by 6 hours for two days",
    readings: 2 * PER_DAY,
    apply: (s, i) => s.value[i]! - s.course[i]! + s.course[i - 360]!,
  },
  {
    fault: "unit change",
    magnitude: "x to 1.8·x + 32 for a day",
    readings: PER_DAY,
    apply: (s, i) => 1.8 * s.value[i]! + 32,
  },
];

/** Injection times of each fault, days after the start, within the last third. */
export const INJECTION_DAYS: readonly number[] = [18.3, 22.6, 25.45];

export interface Injection {
  readonly fault: Fault;
  readonly start: number;
  readonly end: number;
  readonly value: Float64Array;
}

export function simulateSensor(index: number, seed: number = CATALOGUE_SEED): SimulatedSensor {
  const random = new Random(seed + 7919 * index);
  const rows = DAYS * PER_DAY;
  const sigma = random.between(0.2, 2);
  const level = random.between(20, 80);
  const memory = random.between(0.3, 0.95);
  const shifts = index % 3 === 0;
  const weekend = index % 3 === 1 ? 1 : random.between(0.2, 0.6);
  const amplitude = random.between(2, 6) * sigma;
  const second = random.between(0, 0.4);
  const phase = random.next();
  const changeAt = Math.floor(random.between(5, 9) * PER_DAY);
  const change = (random.next() < 0.5 ? -4 : 4) * sigma;
  const resolution = index % 3 === 2 ? 0.25 * sigma : 0;
  const sensor = {
    name: `sensor ${index}`,
    sigma,
    level,
    step: resolution,
    timeUs: new Float64Array(rows),
    value: new Float64Array(rows),
    course: new Float64Array(rows),
    noise: new Float64Array(rows),
  };
  let noise = 0;
  for (let i = 0; i < rows; i++) {
    const day = i / PER_DAY;
    const turn = 2 * Math.PI * (day + phase);
    const scale = Math.floor(day) % 7 >= 5 ? weekend : 1;
    const hour = (day % 1) * 24;
    const shape = shifts ? (hour >= 7 && hour < 19 ? 1 : -1) * 0.7 : Math.sin(turn) + second * Math.sin(2 * turn + 1);
    noise = memory * noise + Math.sqrt(1 - memory * memory) * random.normal();
    sensor.timeUs[i] = START_US + i * MINUTE_US;
    sensor.noise[i] = noise * sigma;
    sensor.course[i] = scale * amplitude * shape;
    sensor.value[i] = quantise(level + (i >= changeAt ? change : 0) + sensor.course[i]! + sensor.noise[i]!, resolution);
  }
  return sensor;
}

/** The faulty stretch of one injection; `which` chooses among INJECTION_DAYS. */
export function inject(sensor: SimulatedSensor, kind: FaultKind, which: number): Injection {
  const start = Math.floor(INJECTION_DAYS[which]! * PER_DAY);
  const sign = (which + Math.floor(sensor.sigma * 1000)) % 2 === 0 ? 1 : -1;
  const end = Math.min(start + kind.readings, sensor.value.length);
  const value = new Float64Array(end - start);
  for (let i = start; i < end; i++) value[i - start] = quantise(kind.apply(sensor, i, i - start, sign), sensor.step);
  return { fault: kind.fault, start, end, value };
}

function quantise(x: number, step: number): number {
  return step === 0 ? x : Math.round(x / step) * step;
}
