import type { ScoreBatch } from "./detector.ts";
import { CHUNK_MASK, CHUNK_SENSORS, CHUNK_SHIFT, Memory } from "./memory.ts";
import { SEVERITY_HIGH, severityOf } from "./severity.ts";

/**
 * Alert episodes: one from the first abnormal reading of a sensor until it is normal again or a person closes it.
 *
 * - Opened by a reading with `anomaly` = 1 while none is open. Its identity is the id of that reading.
 * - Raised when a reading's severity is above the episode's; severity never falls.
 * - Recovered by CALM_READINGS normal readings in a row; closed at the time of the last of them.
 * - Resolved by a person: the same excursion does not open another. Only after CALM_READINGS normal readings in a row, or when
 *   the severity reaches high *and* is above what was resolved, may the next one open.
 * - Silence (no reading for too long) is an episode of its own kind; the sensor's next reading recovers it.
 *
 * At most one episode of a sensor is open. Times are microseconds, scores and confidences steps of 1e-4.
 */
export type Transition = "none" | "opened" | "raised" | "continued" | "recovered";

/** Normal readings in a row after which an excursion is over. */
export const CALM_READINGS = 10;

const STATE = 0;
const ID = 1;
const OPENED_AT = 2;
const LAST_SEEN_AT = 3;
const PEAK_SCORE = 4;
const PEAK_VALUE = 5;
const PEAK_CONFIDENCE = 6;
const EXPECTED = 7;
const BAND = 8;
const COUNT = 9;
const REASON = 10;
const SEVERITY = 11;
const CALM = 12;
const CLOSED_AT = 13;
const ACKNOWLEDGED_AT = 14;
const OPENING_REASON = 15;
const CELLS = 16;

const NONE = 0;
const OPEN = 1;
const RECOVERED = 2;
const RESOLVED = 3;
/** Resolved, and the excursion is over: the next abnormal reading opens another. */
const RESOLVED_CALM = 4;

/** An episode as it stands. */
export interface Episode {
  readonly state: "open" | "recovered" | "resolved";
  /** Id of the reading (for silence: of the last reading before it) that opened it. */
  readonly id: number;
  readonly openedAtUs: number;
  readonly lastSeenAtUs: number;
  /** NaN while open. */
  readonly closedAtUs: number;
  /** NaN while nobody has acknowledged it. */
  readonly acknowledgedAtUs: number;
  readonly peakScore: number;
  readonly peakValue: number;
  readonly peakConfidence: number;
  /** Expected value and half width of the band at the peak; NaN where there is none. */
  readonly expected: number;
  readonly band: number;
  /** Index into REASONS of the detector that spoke at the peak, and of the one that opened it. */
  readonly reason: number;
  readonly openingReason: number;
  readonly severity: number;
  /** Abnormal readings so far. */
  readonly count: number;
}

export class Episodes {
  readonly #memory = new Memory(CELLS, 0);
  readonly chunkSensors: number = CHUNK_SENSORS;

  get bytesPerSensor(): number {
    return this.#memory.bytesPerSensor;
  }

  get sensors(): number {
    return this.#memory.sensors;
  }

  /** Takes the next sensor in; slots are those of the detector when both are called alike. */
  addSensor(): number {
    return this.#memory.add();
  }

  saveChunk(chunk: number): Uint8Array {
    return this.#memory.save(chunk);
  }

  loadChunk(chunk: number, bytes: Uint8Array, sensors: number): void {
    this.#memory.load(chunk, bytes, sensors);
  }

  /** Takes row `i` of a scored batch. `readingId` names the episode if it opens one. */
  observe(batch: ScoreBatch, i: number, readingId: number): Transition {
    const slot = batch.slot[i]!;
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    if (batch.anomaly[i] === 0) return calm(d, o, batch.timeUs[i]!);
    const severity = severityOf(batch.score[i]!);
    d[o + CALM] = 0;
    if (d[o + STATE] === OPEN) return this.#again(d, o, batch, i, severity);
    if (d[o + STATE] === RESOLVED && !(severity >= SEVERITY_HIGH && severity > d[o + SEVERITY]!)) return "none";
    open(d, o, readingId, batch.timeUs[i]!, batch.reason[i]!, severity);
    d[o + COUNT] = 1;
    peak(d, o, batch, i, severity);
    return "opened";
  }

  /** No reading came for too long. Opens an episode unless one is open. `reason` is that of silence. */
  silent(slot: number, nowUs: number, lastReadingId: number, score: number, reason: number): Transition {
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    if (d[o + STATE] === OPEN || d[o + STATE] === RESOLVED) return "none";
    open(d, o, lastReadingId, nowUs, reason, severityOf(score));
    d[o + COUNT] = 0;
    d[o + PEAK_SCORE] = score;
    d[o + PEAK_VALUE] = Number.NaN;
    d[o + PEAK_CONFIDENCE] = 10000;
    d[o + EXPECTED] = Number.NaN;
    d[o + BAND] = Number.NaN;
    // One reading is enough to end a silence.
    d[o + CALM] = CALM_READINGS - 1;
    return "opened";
  }

  /** A person closes the episode `id`. False where the sensor's open episode is another, or none. */
  resolve(slot: number, id: number, nowUs: number): boolean {
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    if (d[o + STATE] !== OPEN || d[o + ID] !== id) return false;
    d[o + STATE] = RESOLVED;
    d[o + CLOSED_AT] = nowUs;
    return true;
  }

  /** A person has seen the episode `id`. False where it is not open here or was acknowledged before. */
  acknowledge(slot: number, id: number, nowUs: number): boolean {
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    if (d[o + STATE] !== OPEN || d[o + ID] !== id || !Number.isNaN(d[o + ACKNOWLEDGED_AT]!)) return false;
    d[o + ACKNOWLEDGED_AT] = nowUs;
    return true;
  }

  /** The sensor's newest episode; undefined where it never had one. */
  get(slot: number): Episode | undefined {
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    if (d[o + STATE] === NONE) return undefined;
    return {
      state: d[o + STATE] === OPEN ? "open" : d[o + STATE] === RECOVERED ? "recovered" : "resolved",
      id: d[o + ID]!,
      openedAtUs: d[o + OPENED_AT]!,
      lastSeenAtUs: d[o + LAST_SEEN_AT]!,
      closedAtUs: d[o + CLOSED_AT]!,
      acknowledgedAtUs: d[o + ACKNOWLEDGED_AT]!,
      peakScore: d[o + PEAK_SCORE]!,
      peakValue: d[o + PEAK_VALUE]!,
      peakConfidence: d[o + PEAK_CONFIDENCE]!,
      expected: d[o + EXPECTED]!,
      band: d[o + BAND]!,
      reason: d[o + REASON]!,
      openingReason: d[o + OPENING_REASON]!,
      severity: d[o + SEVERITY]!,
      count: d[o + COUNT]!,
    };
  }

  /** Whether the sensor has an open episode: cheap. */
  isOpen(slot: number): boolean {
    return this.#cells(slot)[(slot & CHUNK_MASK) * CELLS + STATE] === OPEN;
  }

  #again(d: Float64Array, o: number, batch: ScoreBatch, i: number, severity: number): Transition {
    d[o + COUNT] = d[o + COUNT]! + 1;
    // After a silence, which opened by the log's time, a reading may have been observed before it.
    d[o + LAST_SEEN_AT] = Math.max(d[o + LAST_SEEN_AT]!, batch.timeUs[i]!);
    if (batch.confidence[i]! > d[o + PEAK_CONFIDENCE]!) d[o + PEAK_CONFIDENCE] = batch.confidence[i]!;
    const raised = severity > d[o + SEVERITY]!;
    if (batch.score[i]! > d[o + PEAK_SCORE]!) peak(d, o, batch, i, severity);
    return raised ? "raised" : "continued";
  }

  #cells(slot: number): Float64Array {
    const chunk = this.#memory.chunks[slot >> CHUNK_SHIFT];
    if (chunk === undefined || slot >= this.#memory.sensors) {
      throw new RangeError(`slot ${slot} is not among the ${this.#memory.sensors} sensors`);
    }
    return chunk.f64;
  }
}

function open(d: Float64Array, o: number, id: number, timeUs: number, reason: number, severity: number): void {
  d.fill(0, o, o + CELLS);
  d[o + STATE] = OPEN;
  d[o + ID] = id;
  d[o + OPENED_AT] = timeUs;
  d[o + LAST_SEEN_AT] = timeUs;
  d[o + CLOSED_AT] = Number.NaN;
  d[o + ACKNOWLEDGED_AT] = Number.NaN;
  d[o + OPENING_REASON] = reason;
  d[o + REASON] = reason;
  d[o + SEVERITY] = severity;
}

function peak(d: Float64Array, o: number, batch: ScoreBatch, i: number, severity: number): void {
  d[o + PEAK_SCORE] = batch.score[i]!;
  d[o + PEAK_VALUE] = batch.value[i]!;
  if (batch.confidence[i]! > d[o + PEAK_CONFIDENCE]!) d[o + PEAK_CONFIDENCE] = batch.confidence[i]!;
  d[o + EXPECTED] = batch.expected[i]!;
  d[o + BAND] = batch.band[i]!;
  d[o + REASON] = batch.reason[i]!;
  d[o + SEVERITY] = severity;
}

function calm(d: Float64Array, o: number, timeUs: number): Transition {
  const state = d[o + STATE]!;
  if (state !== OPEN && state !== RESOLVED) return "none";
  d[o + CALM] = d[o + CALM]! + 1;
  if (d[o + CALM]! < CALM_READINGS) return "none";
  if (state === RESOLVED) {
    d[o + STATE] = RESOLVED_CALM;
    return "none";
  }
  d[o + STATE] = RECOVERED;
  // A silence opens by the log's time; the reading that ends it may have been observed before.
  d[o + CLOSED_AT] = Math.max(timeUs, d[o + OPENED_AT]!);
  return "recovered";
}
