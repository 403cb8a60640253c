import { CALM_READINGS, createDetector, createScoreBatch, type DetectorOptions } from "../server/detect/index.ts";
import { CATALOGUE_SENSORS, DAYS, FAULTS, INJECTION_DAYS, inject, PER_DAY, simulateSensor } from "./catalogue.ts";
import { upperMedian } from "./median.ts";

/** Readings of the clean series before this do not count for a detector: two weeks to learn. */
const LEARN_DAYS = 14;
/** A fault counts as met until this long after its end: what a detector averages over may still be under way. */
const GRACE_READINGS = 30;
/** False alarms per sensor and day at which recall is reported. */
export const CATALOGUE_BUDGET = 0.1;

/** What was found in one sensor: emissions on clean days, and for each fault and injection the signal of each reading. */
export interface SensorOutcome {
  readonly cleanSignals: readonly number[];
  /** Alerts (runs of anomalous readings) on clean days at the detector's own threshold. */
  readonly cleanAlerts: number;
  /** For each of FAULTS, for each injection. */
  readonly faults: readonly (readonly FaultOutcome[])[];
}

export interface FaultOutcome {
  /** Signals and flags after the start of the fault. */
  readonly signal: Float32Array;
  readonly anomaly: Uint8Array;
}

export function playCatalogue(
  options: DetectorOptions,
  sensors: number = CATALOGUE_SENSORS,
  seed?: number,
): SensorOutcome[] {
  return Array.from({ length: sensors }, (_, index) => playSensor(index, options, seed));
}

function playSensor(index: number, options: DetectorOptions, seed: number | undefined): SensorOutcome {
  const sensor = simulateSensor(index, seed);
  const detector = createDetector(options);
  const slot = detector.addSensor("simulated", "");
  const batch = createScoreBatch(sensor.value.length);
  const play = (from: number, to: number, values: Float64Array) => {
    batch.length = to - from;
    batch.slot.fill(slot, 0, batch.length);
    batch.timeUs.set(sensor.timeUs.subarray(from, to));
    batch.value.set(values);
    detector.score(batch);
  };
  const cleanSignals: number[] = [];
  const faults: FaultOutcome[][] = FAULTS.map(() => []);
  let cleanAlerts = 0;
  let calm = CALM_READINGS;
  let at = 0;
  const stops = [LEARN_DAYS, ...INJECTION_DAYS, DAYS].map((day) => Math.floor(day * PER_DAY));
  stops.forEach((stop, k) => {
    play(at, stop, sensor.value.subarray(at, stop));
    for (let i = 0; k > 0 && i < batch.length; i++) {
      if (batch.signal[i]! > 0) cleanSignals.push(batch.signal[i]!);
      if (batch.anomaly[i] === 1 && calm >= CALM_READINGS) cleanAlerts++;
      calm = batch.anomaly[i] === 1 ? 0 : calm + 1;
    }
    at = stop;
    if (k === 0 || k === stops.length - 1) return;
    const saved = detector.saveChunk(0);
    FAULTS.forEach((kind, f) => {
      const injection = inject(sensor, kind, k - 1);
      const after = Math.min(injection.end + GRACE_READINGS, sensor.value.length);
      const values = sensor.value.slice(injection.start, after);
      values.set(injection.value);
      play(injection.start, after, values);
      faults[f]!.push({ signal: batch.signal.slice(0, batch.length), anomaly: batch.anomaly.slice(0, batch.length) });
      detector.loadChunk(0, saved, 1);
    });
  });
  return { cleanSignals, cleanAlerts, faults };
}

export interface CatalogueResult {
  /** Signal that clean readings reach at the budget. */
  readonly threshold: number;
  /** Recall of each of FAULTS at that threshold, and the median delay in readings of those met. */
  readonly recall: readonly number[];
  readonly delay: readonly number[];
  /** The same at the detector's own threshold, and its false alerts per sensor and day. */
  readonly thresholdRecall: readonly number[];
  readonly thresholdAlertsPerDay: number;
}

export function scoreCatalogue(outcomes: readonly SensorOutcome[]): CatalogueResult {
  const days = outcomes.length * (DAYS - LEARN_DAYS);
  const clean = outcomes.flatMap((o) => o.cleanSignals).sort((a, b) => b - a);
  const allowed = Math.floor(CATALOGUE_BUDGET * days);
  const threshold = allowed < clean.length ? clean[allowed]! : 0;
  const recall: number[] = [];
  const delay: number[] = [];
  const thresholdRecall: number[] = [];
  FAULTS.forEach((_, f) => {
    const all = outcomes.flatMap((o) => o.faults[f]!);
    const delays = all.map((o) => o.signal.findIndex((s) => s > threshold)).filter((d) => d >= 0);
    recall.push(delays.length / all.length);
    delay.push(upperMedian(delays));
    thresholdRecall.push(all.filter((o) => o.anomaly.includes(1)).length / all.length);
  });
  const alerts = outcomes.reduce((sum, o) => sum + o.cleanAlerts, 0);
  return { threshold, recall, delay, thresholdRecall, thresholdAlertsPerDay: alerts / days };
}
