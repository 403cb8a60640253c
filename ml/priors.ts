import {
  createDetector,
  createScoreBatch,
  KernelTrunk,
  LARGEST_REACH,
  LEAST_REACH,
  REASONS,
  type TrunkModel,
  type TypePrior,
} from "../server/detect/index.ts";
import { MINUTE_US } from "../server/lib/time.ts";
import { KINDS, trainingSeries } from "./curriculum.ts";
import type { Random } from "./random.ts";

/**
 * Priors of sensor types for the cold start: how far normal sensors of a type go beyond what their first 23 readings showed, found on
 * series of the kinds that such sensors show. They are part of the model, so that a score never depends on other sensors.
 */
const TYPE_KINDS: Readonly<Record<string, readonly string[]>> = {
  "": KINDS,
  temperature: ["seasonal", "walk"],
  humidity: ["seasonal", "walk"],
  pressure: ["walk", "resonant"],
  vibration: ["resonant", "bursts"],
  power: ["square", "bursts"],
  current: ["square", "bursts"],
  flow: ["square", "seasonal"],
  level: ["sawtooth", "walk"],
  requests: ["counts", "bursts"],
};

/** Readings of a sensor in its cold start, and the series looked at for each type. */
export const YOUNG_READINGS = 123;
const SERIES = 100;
/** Share of normal sensors that stay below the threshold in their cold start. */
const CALM_SHARE = 0.98;
const START_US = 1_704_067_200e6;

export function simulatedPriors(model: TrunkModel, random: Random): Record<string, TypePrior> {
  const priors: Record<string, TypePrior> = {};
  for (const [sensorType, kinds] of Object.entries(TYPE_KINDS)) {
    const series = Array.from({ length: SERIES }, (_, i) =>
      trainingSeries(kinds[i % kinds.length]!, YOUNG_READINGS, random),
    );
    priors[sensorType] = priorOf(model, series);
  }
  return priors;
}

/** The prior at which CALM_SHARE of the series, all normal, would raise no alarm in the cold start. */
export function priorOf(model: TrunkModel, series: readonly Float64Array[]): TypePrior {
  const shares = series.map((values) => highestShare(model, values)).sort((a, b) => a - b);
  const share = shares[Math.min(shares.length - 1, Math.floor(CALM_SHARE * shares.length))]!;
  return { reach: Number(Math.max(LEAST_REACH, Math.min(LARGEST_REACH, share)).toFixed(3)) };
}

/** The cold start's highest raw score, in thresholds, if no prior moved it. */
function highestShare(model: TrunkModel, values: Float64Array): number {
  const { priors: _, ...bare } = model;
  const detector = createDetector({}, new KernelTrunk(bare));
  detector.addSensor("", "");
  const batch = createScoreBatch(1);
  batch.length = 1;
  const young = REASONS.indexOf("young sensor");
  let highest = 0;
  for (let i = 0; i < values.length; i++) {
    const time = START_US + i * MINUTE_US;
    const why = detector.explain(0, time, values[i]!);
    if (why.coldStart && why.rawScore[young]! > highest * why.threshold) highest = why.rawScore[young]! / why.threshold;
    batch.timeUs[0] = time;
    batch.value[0] = values[i]!;
    detector.score(batch);
  }
  return highest;
}
