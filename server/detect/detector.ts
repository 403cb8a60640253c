import type { DetectorSettings } from "./settings.ts";
import type { TickObserver } from "./silence.ts";

/**
 * What the pipeline asks of a detector. Everything here is pure: no clock, no I/O, no randomness. The same calls in the same
 * order give the same results to the bit, however the readings are cut into batches.
 *
 * A detector holds the states of one partition's sensors in slots 0, 1, 2 … given out in the order of `addSensor`.
 */
export interface Detector {
  /** Names model and runtime, for example "telltale-2+js": part of every score. */
  readonly modelVersion: string;
  /** Layout of the saved state; a state of another version is not read. */
  readonly stateVersion: number;
  /** Sensors in a chunk of state: the unit of `saveChunk`. */
  readonly chunkSensors: number;
  /** Bytes of state held for each sensor. */
  readonly bytesPerSensor: number;
  readonly sensors: number;

  /** Takes a sensor in, with the prior of its type. Returns its slot. */
  addSensor(sensorType: string, unit: string): number;
  /**
   * Scores readings. Those of one slot are in rising order of time, later than all before; slots may be mixed. Fills the output
   * columns for rows [0, batch.length).
   */
  score(batch: ScoreBatch): void;
  /** Settings of a sensor type from here on; "" for all types without their own. Not part of a chunk: apply again after a restart. */
  configure(sensorType: string, settings: DetectorSettings): void;
  /**
   * A person said of an alert of the sensor whether it was right: `count` = 1; to take that back, -1. Each label moves the
   * sensor's bar by 15 %, up for a false alert, down for a right one, within -30 % and +60 %; and the weight of the detector that
   * opened the alert (`reason`, an index into REASONS; 0 or a rule: none) by 15 % the other way, within 0.4 and 1.3. Labels taken
   * back leave no trace.
   */
  label(slot: number, correct: boolean, count: number, reason?: number): void;
  /** Readings with times in [fromUs, untilUs) are neither judged nor learnt. One window per sensor; the newest counts. */
  maintain(slot: number, fromUs: number, untilUs: number): void;
  /** The log says that it is `nowUs`. Returns the slots that have become silent, each once, in rising order. */
  tick(nowUs: number, observer?: TickObserver): number[];
  /** How a reading would be judged if it came next; changes nothing. */
  explain(slot: number, timeUs: number, value: number): Explanation;
  /** A snapshot of chunk `chunk` (slots chunk·chunkSensors …). */
  saveChunk(chunk: number): Uint8Array;
  /** Restores a chunk; slots that do not exist yet are added. */
  loadChunk(chunk: number, bytes: Uint8Array, sensors: number): void;
}

/** How a reading would be judged. */
export interface Explanation {
  /** One row: what `score` would have filled in. */
  readonly batch: ScoreBatch;
  /** Surprise from which a reading is anomalous, dearer after the sensor's own recent alarms; NaN while the sensor is too young. */
  readonly bar: number;
  /** Surprise of each detector, by index into REASONS, by its weight; 0 where it has nothing to say. */
  readonly surprise: Float64Array;
  /** Weight of each detector on this sensor, by index into REASONS: 1, moved by people's labels; 0 for what is no voting detector. */
  readonly weight: Float64Array;
  /** What came of the votes and the rules: anomalous from `bar` on, so total / bar says how far it is from it. */
  readonly total: number;
  /** Readings seen before. */
  readonly readings: number;
  /** True until the 124th reading: the young sensor's judge speaks for all detectors. */
  readonly young: boolean;
  /** While young: the type whose prior counts, "" for that of types which the model does not know. */
  readonly prior: string | undefined;
  /** How many times dearer an alarm is for want of readings: 3 at the 24th reading, 1.1 after 2,000. */
  readonly coldness: number;
}

/** Columns of readings and of what was found, all of the same capacity. Reused from batch to batch. */
export interface ScoreBatch {
  length: number;
  /** Slot of the sensor. */
  readonly slot: Int32Array;
  /** Observed at, whole microseconds since 1970. */
  readonly timeUs: Float64Array;
  /** Measured value, finite. */
  readonly value: Float64Array;

  /** Out: 1 − tail probability, in steps of 1e-4 (0..10000). */
  readonly confidence: Uint16Array;
  /** Out: how far beyond the bar, in steps of 1e-4 (0..10000); 0 unless anomalous. Decides the severity. */
  readonly score: Uint16Array;
  /** Out: 1 where the confidence reached the bar. */
  readonly anomaly: Uint8Array;
  /** Out: index into REASONS of the detector that spoke loudest, 0 = none. */
  readonly reason: Uint8Array;
  /** Out: expected value; NaN while the sensor is too young. */
  readonly expected: Float32Array;
  /** Out: half width of the band of normal around `expected`; NaN while the sensor is too young. */
  readonly band: Float32Array;
  /** Out: the ensemble's emission before the bar: > 0 where it would speak up at some bar, larger is rarer. */
  readonly signal: Float32Array;
}

export function createScoreBatch(capacity: number): ScoreBatch {
  return {
    length: 0,
    slot: new Int32Array(capacity),
    timeUs: new Float64Array(capacity),
    value: new Float64Array(capacity),
    confidence: new Uint16Array(capacity),
    score: new Uint16Array(capacity),
    anomaly: new Uint8Array(capacity),
    reason: new Uint8Array(capacity),
    expected: new Float32Array(capacity),
    band: new Float32Array(capacity),
    signal: new Float32Array(capacity),
  };
}
