/**
 * The detector: pure, no clock, no I/O. How a partition's owner uses it:
 *
 *   const detector = createDetector({ threshold: 0.95 });        // once for each partition
 *   const episodes = new Episodes();                             // the same slots
 *   const slot = detector.addSensor("temperature", "C");         // a new sensor; and episodes.addSensor()
 *   batch.slot[i] = slot; batch.timeUs[i] = …; batch.value[i] = …; batch.length = n;
 *   detector.score(batch);                                       // fills confidence, score, anomaly, reason, expected, band, signal
 *   switch (episodes.observe(batch, i, readingId)) { case "opened": … episodes.get(slot) … alertMessage({…}) }
 *
 * Severity is `severityOf(batch.score[i])`, the name of the detector that spoke `REASONS[batch.reason[i]]`. State is saved and
 * restored chunk by chunk (slots k·chunkSensors …) with `saveChunk` and `loadChunk`, on both alike.
 */

import { defaultModel } from "./committed-model.ts";
import type { Detector } from "./detector.ts";
import { type DetectorOptions, EnsembleDetector } from "./ensemble.ts";
import { KernelTrunk, type TrunkRuntime } from "./trunk.ts";

export { type Holidays, type ZoneRules, zoneRules } from "./calendar.ts";
export { defaultModel, LARGEST_REACH, LEAST_REACH, parseModel } from "./committed-model.ts";
export { createScoreBatch, type Detector, type Explanation, type ScoreBatch } from "./detector.ts";
export type { DetectorOptions } from "./ensemble.ts";
export {
  CALM_READINGS,
  type EarlyEnd,
  type Episode,
  type EpisodeLayout,
  Episodes,
  type LastReading,
  LIMIT_SIDES,
  type LimitAhead,
  type LimitName,
  type Transition,
} from "./episode.ts";
export { PARTS, type Part } from "./kernel/features.ts";
export { MAX_HOLIDAYS } from "./kernel/fields.ts";
export type { TrunkModel, TypePrior } from "./kernel/trunk-model.ts";
export { alertMessage, duration, figure, instant, type MessageInput, renamedMessage, withUnit } from "./message.ts";
export { REASON_DETAILS, REASON_LIMIT_AHEAD, REASON_SILENCE, REASONS } from "./reasons.ts";
export {
  DEFAULT_EARLY_ALERT_HOURS,
  type DetectorSettings,
  type Direction,
  LEAST_EARLY_ALERT_HOURS,
  type LimitsAhead,
  layerSettings,
} from "./settings.ts";
export {
  SEVERITY_CRITICAL,
  SEVERITY_HIGH,
  SEVERITY_LOW,
  SEVERITY_MEDIUM,
  SEVERITY_NAMES,
  severityOf,
} from "./severity.ts";
export { type Recognised, SIGNAL_KINDS, type SignalKind, SignalStatistics } from "./signal-kind.ts";
export { KernelTrunk, type TrunkRuntime } from "./trunk.ts";

/** A detector for one partition. `trunk` is the model in a runtime of choice; by default the committed one in the scoring kernel. */
export function createDetector(
  options: DetectorOptions = {},
  trunk: TrunkRuntime = new KernelTrunk(defaultModel),
): Detector {
  return new EnsembleDetector(trunk, options);
}
