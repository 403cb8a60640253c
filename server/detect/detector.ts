import type { DetectorSettings, LimitsAhead } from "./settings.ts";
import type { TickObserver } from "./silence.ts";

/**
 * What the pipeline asks of a detector. Everything here is pure: no clock, no I/O, no randomness. The same calls in the same
 * order give bit-identical results, however the readings are cut into batches.
 *
 * A detector holds the states of one partition's sensors in slots 0, 1, 2 … given out in the order of `addSensor`.
 */
export interface Detector {
  /** Names model and runtime, for example "telltale-9+js": part of every score. */
  readonly modelVersion: string;
  /** Layout of the saved state; a state of another version is not read. */
  readonly stateVersion: number;
  /** Sensors in a chunk of state: the unit of `saveChunk`. */
  readonly chunkSensors: number;
  /** Bytes of state for each sensor. */
  readonly bytesPerSensor: number;
  readonly sensors: number;

  /** So many sensors are to come, before the first of them: their memory is asked for at once. */
  reserve(sensors: number): void;
  /** Takes a sensor in, with the prior of its type, into a slot that `removeSensor` freed or the next new one. Returns its slot. */
  addSensor(sensorType: string, unit: string, slot?: number): number;
  /** Forgets all of a sensor, its own settings too. The slot stands for nobody until `addSensor` is given it. */
  removeSensor(slot: number): void;
  /**
   * Scores readings. Those of one slot are in rising order of time, later than all before; slots may be mixed. Fills the output
   * columns for rows [0, batch.length).
   */
  score(batch: ScoreBatch): void;
  /**
   * Settings of a sensor type from here on; "" for all types. A field that is absent is that of all types where `inherits` is true, else
   * the platform's. Not part of a chunk: apply again after a restart.
   */
  configure(sensorType: string, settings: DetectorSettings, inherits?: boolean): void;
  /** Settings of the platform from here on, for what no other layer sets; its alarm budget is given when the detector is made. */
  configurePlatform(settings: DetectorSettings): void;
  /** A sensor's own settings from here on; a field that is absent is that of its type. Not part of a chunk either. */
  configureSensor(slot: number, settings: DetectorSettings): void;
  /**
   * A person labelled an alert of the sensor as right or wrong: `count` = 1; to remove the label, -1. Each label moves the
   * sensor's threshold by 15 %, up for a false alert, down for a right one, within -30 % and +60 %; and the weight of the detector that
   * opened the alert (`reason`, an index into REASONS; 0 or a rule: none) by 15 % the other way, within 0.4 and 1.3. Labels taken
   * back leave no trace.
   */
  label(slot: number, correct: boolean, count: number, reason?: number): void;
  /** Readings with times in [fromUs, untilUs) are neither judged nor learnt. One window per sensor; the newest counts. */
  maintain(slot: number, fromUs: number, untilUs: number): void;
  /** Whether a reading of that time would be in the sensor's window. */
  isMaintained(slot: number, timeUs: number): boolean;
  /** The log says that it is `nowUs`. Returns the slots that have become silent, each once, in rising order. */
  tick(nowUs: number, observer?: TickObserver): number[];
  /**
   * What comes next follows a time record of `tickedUs`, microseconds; 0: none. After chunks were loaded; without it they go on from
   * the newest time record that one of them knows.
   */
  resume(tickedUs: number): void;
  /** How a reading would be judged if it came next; changes nothing. */
  explain(slot: number, timeUs: number, value: number): Explanation;
  /** Whether the growth per second is judged, of what is a counter by its settings or by its readings, and not the value. */
  judgesRate(slot: number): boolean;
  /** Since when a sensor of two states has been in the one that it is in, microseconds, at most a week back; NaN of all others. */
  inStateSince(slot: number): number;
  /** The limits that early alerts of the sensor are about, by its settings; undefined where there are none: cheap. */
  limitsAhead(slot: number): LimitsAhead | undefined;
  /** What the season alone expects of a sensor at a time, in its unit (of a counter: its rate); NaN before the 24th reading. */
  seasonal(slot: number, timeUs: number): number;
  /** A snapshot of chunk `chunk` (slots chunk·chunkSensors …). */
  saveChunk(chunk: number): Uint8Array;
  /** Restores a chunk; slots that do not exist yet are added. `stateVersion` is that of the chunk where it is one of `migratedStates`. */
  loadChunk(chunk: number, bytes: Uint8Array, sensors: number, stateVersion?: number): void;
  /** Former versions of the state that `loadChunk` turns into this one's, and former names of the model whose state means the same. */
  readonly migratedStates: readonly number[];
  readonly formerModels: readonly string[];
}

/** How a reading would be judged. */
export interface Explanation {
  /** One row: what `score` would have filled in. */
  readonly batch: ScoreBatch;
  /** Raw score from which a reading is anomalous, higher after the sensor's own recent alarms; NaN before the 24th reading. */
  readonly threshold: number;
  /** Raw score of each detector (0 is normal, larger is rarer), by index into REASONS, by its weight; 0 where it has nothing to say. */
  readonly rawScore: Float64Array;
  /** Weight of each detector on this sensor, by index into REASONS: 1, moved by people's labels; 0 for what is no voting detector. */
  readonly weight: Float64Array;
  /** Abnormal, and not reported: on the side that the settings leave out, or the sensor is off. */
  readonly muted: boolean;
  /** Abnormal, and not reported: it is the first day of a sensor that has rested at zero, and begins to move. */
  readonly wakes: boolean;
  /** Total of the votes and the rules that are reported: anomalous from `threshold` on, so total / threshold says how far it is from it. */
  readonly total: number;
  /** Readings seen before. */
  readonly readings: number;
  /** True until the 124th reading: the cold start's judge speaks for all detectors. */
  readonly coldStart: boolean;
  /** During the cold start: the type whose prior counts, "" for that of types which the model does not know. */
  readonly prior: string | undefined;
  /** How many times dearer an alarm is for want of readings: 3 at the 24th reading, 1.1 after 2,000. */
  readonly coldStartFactor: number;
  /** From so many readings on that is 1.1 or less. */
  readonly steadyReadings: number;
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
  /** Out: how far beyond the threshold, in steps of 1e-4 (0..10000); 0 unless anomalous. Decides the severity. */
  readonly score: Uint16Array;
  /** Out: 1 where the confidence reached the threshold. */
  readonly anomaly: Uint8Array;
  /** Out: index into REASONS of the detector that spoke loudest, 0 = none. */
  readonly reason: Uint8Array;
  /** Out: expected value; NaN before the 24th reading. */
  readonly expected: Float32Array;
  /** Out: half width of the band of normal around `expected`; NaN before the 24th reading. */
  readonly band: Float32Array;
  /** Out: the ensemble's emission before the threshold: > 0 where it would alarm at some threshold, larger is rarer. */
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
