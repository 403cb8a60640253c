import type { ScoreBatch } from "./detector.ts";
import { CHUNK_MASK, CHUNK_SENSORS, CHUNK_SHIFT, Memory } from "./memory.ts";
import { REASON_LIMIT_AHEAD, REASON_SILENCE, REASON_STUCK } from "./reasons.ts";
import { SEVERITY_HIGH, severityOf } from "./severity.ts";

/**
 * Alert episodes: one from the first abnormal reading of a sensor until it is normal again or a person closes it.
 *
 * - Opened by a reading with `anomaly` = 1 while none is open. Its identity is the id of that reading.
 * - Raised when a reading's severity is above the episode's; severity never falls.
 * - Recovered by CALM_READINGS normal readings in a row, or by LEAST_CALM of them that span CALM_US; closed at the time of the last.
 * - One that opens within RECURS_US of the last abnormal reading of the one before, on the same side, is the same fault again: a slow drift that
 *   the sensor's ranges follow shows only now and then. It takes a longer calm to be over, so that one alert lasts as the fault does.
 * - Resolved by a person: the same excursion does not open another. Only after as many normal readings, or when the severity
 *   reaches high *and* is above what was resolved, may the next one open.
 * - Silence (no reading for too long) is an episode of its own kind beside it, opened whatever the other one's state is: a sensor
 *   may die in the middle of an anomaly. The sensor's next reading recovers it, by the time at which it arrived, and opens nothing
 *   itself: what a sensor says after a gap is judged with the reading that follows.
 *
 * - An early alert (the sensor is heading for a limit of its settings) is a third kind, of which each limit has its own. It is opened and
 *   closed by looks at where the readings lead (`server/forecast`), and is over when the limit is crossed.
 *
 * Of each kind, and of each limit, at most one episode of a sensor is open. Times are microseconds, scores and confidences steps of 1e-4.
 */
export type Transition = "none" | "opened" | "raised" | "continued" | "recovered";

/** Normal readings in a row after which an excursion is over; of a sensor that reads rarely fewer, once they span 25 minutes. */
export const CALM_READINGS = 10;
const LEAST_CALM = 2;
const CALM_US = 1500e6;
/** Measured on simulated plants: see `docs/internals/detector.md`. */
const RECURS_US = 3 * 3600e6;
/** The calm that it takes then, as so many times what lay between the two, and at most as long. */
const RECURS_CALM = 1.5;

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
/** Of a silence, in place of the normal readings in a row: the time of the last reading before it. */
const HEARD_AT = CALM;
const CLOSED_AT = 13;
/** Of an anomaly that is open, in place of when it closed: how long it has to be normal at least; NaN: only as long as any. */
const LEAST_CALM_US = CLOSED_AT;
const ACKNOWLEDGED_AT = 14;
const OPENING_REASON = 15;
/** The same cells once more for silence; then the id of a reading that opened no episode, which names the next silence. */
const SILENCE = 16;
const SPARE_ID = 32;
/** The spare id before that one, which names the next early alert: of the same reading silence could not be told. */
const FORMER_SPARE_ID = 33;
const CELLS = 34;
/** Cells of former layouts: in the first, silence stood in those of the anomaly. */
const FORMER_CELLS: Readonly<Record<EpisodeLayout, number>> = { joint: 16, apart: 33 };
export type EpisodeLayout = "joint" | "apart";

/** Of an early alert there are more cells; only sensors that have had one have any. */
const EARLIEST = 16;
const EXPECTED_AT = 17;
const LATEST = 18;
const END = 19;
const EARLY_CELLS = 20;
/** Cells of both limits. */
const LIMITS_CELLS = 2 * EARLY_CELLS;
/** Number of a limit among those of a sensor. */
export const LIMIT_SIDES = { range_min: 0, range_max: 1 } as const;
export type LimitName = keyof typeof LIMIT_SIDES;

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
  /** Of a silence, when the last reading before it was observed; NaN of an anomaly. */
  readonly heardAtUs: number;
  /** Of an early alert; undefined of the other kinds. */
  readonly limit?: LimitAhead;
}

/** A limit that a sensor is heading for, as of the newest look. */
export interface LimitAhead {
  readonly setting: LimitName;
  readonly limit: number;
  /** Probability of being beyond it at the time when that is most probable. */
  readonly probability: number;
  /** When it is beyond the limit with a probability of 2.5, 50 and 97.5 %; NaN where it is not within the time looked at. */
  readonly earliestUs: number;
  readonly expectedUs: number;
  readonly latestUs: number;
  /** Why the alert ended; "away" of one that is open. */
  readonly end: EarlyEnd;
}

/** The sensor turned away from the limit, or crossed it, or sent nothing more until the limit should have been crossed. */
export type EarlyEnd = "away" | "crossed" | "unheard";
const ENDS: readonly EarlyEnd[] = ["away", "crossed", "unheard"];

const NO_EPISODES: readonly Episode[] = [];

/** A sensor's newest reading, as far as silence tells of it. */
export interface LastReading {
  readonly id: number;
  readonly timeUs: number;
  readonly value: number;
}

export class Episodes {
  readonly #memory = new Memory(CELLS, 0);
  /** Early alerts of the sensors that have had any, by slot. */
  readonly #early = new Map<number, Float64Array>();
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

  /** The slot is as if no sensor had been in it. */
  removeSensor(slot: number): void {
    const o = (slot & CHUNK_MASK) * CELLS;
    this.#cells(slot).fill(0, o, o + CELLS);
    this.#early.delete(slot);
  }

  saveChunk(chunk: number): Uint8Array {
    const dense = this.#memory.save(chunk);
    const first = chunk * CHUNK_SENSORS;
    // Asked for one by one: of all sensors of a partition a chunk has few.
    const early = Array.from(
      { length: CHUNK_SENSORS },
      (_, k) => [first + k, this.#early.get(first + k)] as const,
    ).filter((each): each is readonly [number, Float64Array] => each[1] !== undefined);
    const bytes = new Uint8Array(dense.length + 8 * early.length * (1 + LIMITS_CELLS));
    bytes.set(dense);
    const rest = Float64Array.from(early.flatMap(([slot, cells]) => [slot - first, ...cells]));
    bytes.set(new Uint8Array(rest.buffer), dense.length);
    return bytes;
  }

  /** `former`: the layout of the chunk, where it is one of before. */
  loadChunk(chunk: number, bytes: Uint8Array, sensors: number, former?: EpisodeLayout): void {
    const current = former === undefined ? bytes : migrated(bytes, former);
    const size = CHUNK_SENSORS * this.bytesPerSensor;
    this.#memory.load(chunk, current.subarray(0, size), sensors);
    const rest = new Float64Array(Uint8Array.from(current.subarray(size)).buffer);
    for (let at = 0; at < rest.length; at += 1 + LIMITS_CELLS) {
      this.#early.set(chunk * CHUNK_SENSORS + rest[at]!, rest.slice(at + 1, at + 1 + LIMITS_CELLS));
    }
  }

  /** Whether a silence of the sensor has not been ended by a reading yet, be it open or resolved: cheap. */
  isSilent(slot: number): boolean {
    const state = this.#cells(slot)[(slot & CHUNK_MASK) * CELLS + SILENCE + STATE];
    return state === OPEN || state === RESOLVED;
  }

  /**
   * A reading has arrived, at `receivedUs` of the log's time: ends the sensor's silence and says whether it was still open. To be
   * called before `observe`, which is to know the answer.
   */
  heard(slot: number, receivedUs: number): boolean {
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS + SILENCE;
    if (d[o + STATE] !== OPEN && d[o + STATE] !== RESOLVED) return false;
    const open = d[o + STATE] === OPEN;
    d[o + STATE] = open ? RECOVERED : RESOLVED_CALM;
    if (open) d[o + CLOSED_AT] = Math.max(receivedUs, d[o + OPENED_AT]!);
    return open;
  }

  /**
   * Takes row `i` of a scored batch. `readingId` names the episode if it opens one; `returned` says that the reading ended a
   * silence.
   */
  observe(batch: ScoreBatch, i: number, readingId: number, returned: boolean = false): Transition {
    const slot = batch.slot[i]!;
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    const abnormal = batch.anomaly[i] === 1;
    const opens = abnormal && !returned && this.#mayOpen(d, o, severityOf(batch.score[i]!));
    if (!opens) {
      d[o + FORMER_SPARE_ID] = d[o + SPARE_ID]!;
      d[o + SPARE_ID] = readingId;
    }
    if (!abnormal) return calm(d, o, batch.timeUs[i]!);
    d[o + CALM] = 0;
    const severity = severityOf(batch.score[i]!);
    if (d[o + STATE] === OPEN) return this.#again(d, o, batch, i, severity);
    if (!opens) return "none";
    const calmUs = d[o + STATE] === RECOVERED ? calmOfRecurrence(d, o, batch, i) : Number.NaN;
    open(d, o, { id: readingId, timeUs: batch.timeUs[i]!, reason: batch.reason[i]!, severity });
    d[o + LEAST_CALM_US] = calmUs;
    d[o + COUNT] = 1;
    peak(d, o, batch, i, severity);
    return "opened";
  }

  #mayOpen(d: Float64Array, o: number, severity: number): boolean {
    if (d[o + STATE] === RESOLVED) return severity >= SEVERITY_HIGH && severity > d[o + SEVERITY]!;
    return d[o + STATE] !== OPEN;
  }

  /**
   * No reading came for too long. Opens an episode of silence unless there is one. `last` is the newest reading: its time, value and id.
   * `score` and `reason` are those of silence.
   */
  silent(slot: number, nowUs: number, last: LastReading, score: number, reason: number): Transition {
    const d = this.#cells(slot);
    const anomaly = (slot & CHUNK_MASK) * CELLS;
    const o = anomaly + SILENCE;
    if (d[o + STATE] === OPEN || d[o + STATE] === RESOLVED) return "none";
    const spare = d[anomaly + SPARE_ID]!;
    const id = spare > 0 ? spare : last.id;
    // The id names one alert of the sensor, and an alert that exists keeps its own.
    if (id === d[anomaly + ID] || id === d[o + ID]) return "none";
    d[anomaly + SPARE_ID] = 0;
    open(d, o, { id, timeUs: nowUs, reason, severity: severityOf(score) });
    d[o + HEARD_AT] = last.timeUs;
    d[o + PEAK_SCORE] = score;
    d[o + PEAK_VALUE] = last.value;
    d[o + PEAK_CONFIDENCE] = 10000;
    d[o + EXPECTED] = Number.NaN;
    d[o + BAND] = Number.NaN;
    return "opened";
  }

  /**
   * A look has found that the sensor is heading for a limit. Opens an early alert unless there is one, which then says what was found now.
   * `last` is the newest reading.
   */
  heading(slot: number, ahead: Omit<LimitAhead, "end">, last: LastReading, score: number): Transition {
    const d = this.#earlyCells(slot);
    const o = LIMIT_SIDES[ahead.setting] * EARLY_CELLS;
    const opens = d[o + STATE] !== OPEN;
    if (opens) {
      const cells = this.#cells(slot);
      const anomaly = (slot & CHUNK_MASK) * CELLS;
      const id = cells[anomaly + FORMER_SPARE_ID]!;
      // No reading to be named by yet: the next look finds one.
      if (id === 0) return "none";
      cells[anomaly + FORMER_SPARE_ID] = 0;
      const opening = { id, timeUs: last.timeUs, reason: REASON_LIMIT_AHEAD, severity: severityOf(score) };
      open(d, o, opening, EARLY_CELLS);
      d[o + PEAK_SCORE] = score;
      d[o + BAND] = Number.NaN;
    }
    d[o + LAST_SEEN_AT] = last.timeUs;
    d[o + PEAK_VALUE] = last.value;
    d[o + PEAK_CONFIDENCE] = Math.round(10000 * ahead.probability);
    d[o + EXPECTED] = ahead.limit;
    d[o + EARLIEST] = ahead.earliestUs;
    d[o + EXPECTED_AT] = ahead.expectedUs;
    d[o + LATEST] = ahead.latestUs;
    return opens ? "opened" : "continued";
  }

  /** The sensor is not heading for the limit any more, or has crossed it, or nothing is heard of it. */
  endEarly(slot: number, setting: LimitName, atUs: number, end: EarlyEnd): Transition {
    const d = this.#early.get(slot);
    const o = LIMIT_SIDES[setting] * EARLY_CELLS;
    if (d === undefined || d[o + STATE] !== OPEN) return "none";
    d[o + STATE] = RECOVERED;
    d[o + CLOSED_AT] = Math.max(atUs, d[o + OPENED_AT]!);
    d[o + END] = ENDS.indexOf(end);
    return "recovered";
  }

  /** The newest early alert of a limit; undefined where it never had one. */
  early(slot: number, setting: LimitName): Episode | undefined {
    const d = this.#early.get(slot);
    const o = LIMIT_SIDES[setting] * EARLY_CELLS;
    const episode = d === undefined ? undefined : read(d, o);
    if (episode === undefined || d === undefined) return undefined;
    const limit = {
      ...{ setting, limit: d[o + EXPECTED]!, probability: d[o + PEAK_CONFIDENCE]! / 10000 },
      ...{ earliestUs: d[o + EARLIEST]!, expectedUs: d[o + EXPECTED_AT]!, latestUs: d[o + LATEST]! },
      end: ENDS[d[o + END]!] ?? "away",
    };
    return { ...episode, expected: Number.NaN, limit };
  }

  #earlyCells(slot: number): Float64Array {
    const known = this.#early.get(slot) ?? new Float64Array(LIMITS_CELLS);
    this.#early.set(slot, known);
    return known;
  }

  /** A person closes the episode `id`. False where the sensor's open episodes are others, or none. */
  resolve(slot: number, id: number, nowUs: number): boolean {
    const found = this.#openAt(slot, id);
    if (found === undefined) return false;
    const { d, o } = found;
    d[o + STATE] = RESOLVED;
    d[o + CLOSED_AT] = nowUs;
    return true;
  }

  /** A person closes all that is open of the sensor. */
  resolveAll(slot: number, nowUs: number): void {
    for (const { id } of this.open(slot)) this.resolve(slot, id, nowUs);
  }

  /** A person has seen the episode `id`. False where it is not open here or was acknowledged before. */
  acknowledge(slot: number, id: number, nowUs: number): boolean {
    const found = this.#openAt(slot, id);
    if (found === undefined) return false;
    const { d, o } = found;
    if (!Number.isNaN(d[o + ACKNOWLEDGED_AT]!)) return false;
    d[o + ACKNOWLEDGED_AT] = nowUs;
    return true;
  }

  /** The sensor's newest episode of an anomaly; undefined where it never had one. */
  get(slot: number): Episode | undefined {
    return read(this.#cells(slot), (slot & CHUNK_MASK) * CELLS);
  }

  /** The sensor's newest silence; undefined where it never had one. The peak value is that of the last reading before it. */
  silence(slot: number): Episode | undefined {
    return read(this.#cells(slot), (slot & CHUNK_MASK) * CELLS + SILENCE);
  }

  /** The sensor's open episodes: mostly none, and then nothing is made. */
  open(slot: number): readonly Episode[] {
    const d = this.#cells(slot);
    const o = (slot & CHUNK_MASK) * CELLS;
    if (d[o + STATE] !== OPEN && d[o + SILENCE + STATE] !== OPEN && !this.#early.has(slot)) return NO_EPISODES;
    const all = [this.get(slot), this.silence(slot), this.early(slot, "range_min"), this.early(slot, "range_max")];
    return all.filter((e): e is Episode => e?.state === "open");
  }

  /** The cells of the sensor's open episode `id`. */
  #openAt(slot: number, id: number): { readonly d: Float64Array; readonly o: number } | undefined {
    const isOpen = (d: Float64Array, o: number) => d[o + STATE] === OPEN && d[o + ID] === id;
    const d = this.#cells(slot);
    const anomaly = (slot & CHUNK_MASK) * CELLS;
    const o = [anomaly, anomaly + SILENCE].find((at) => isOpen(d, at));
    if (o !== undefined) return { d, o };
    const early = this.#early.get(slot);
    const of = early === undefined ? undefined : [0, EARLY_CELLS].find((at) => isOpen(early, at));
    return early === undefined || of === undefined ? undefined : { d: early, o: of };
  }

  #again(d: Float64Array, o: number, batch: ScoreBatch, i: number, severity: number): Transition {
    d[o + COUNT] = d[o + COUNT]! + 1;
    d[o + LAST_SEEN_AT] = batch.timeUs[i]!;
    if (batch.confidence[i]! > d[o + PEAK_CONFIDENCE]!) d[o + PEAK_CONFIDENCE] = batch.confidence[i]!;
    const raised = severity > d[o + SEVERITY]!;
    // A stuck value is reported as stuck, however large the step before it was.
    const stuck = batch.reason[i] === REASON_STUCK && d[o + REASON] !== REASON_STUCK;
    if (batch.score[i]! > d[o + PEAK_SCORE]!) peak(d, o, batch, i, severity);
    else if (stuck) setReported(d, o, batch, i);
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

function read(d: Float64Array, o: number): Episode | undefined {
  if (d[o + STATE] === NONE) return undefined;
  return {
    state: d[o + STATE] === OPEN ? "open" : d[o + STATE] === RECOVERED ? "recovered" : "resolved",
    id: d[o + ID]!,
    openedAtUs: d[o + OPENED_AT]!,
    lastSeenAtUs: d[o + LAST_SEEN_AT]!,
    closedAtUs: d[o + STATE] === OPEN ? Number.NaN : d[o + CLOSED_AT]!,
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
    heardAtUs: d[o + OPENING_REASON] === REASON_SILENCE ? d[o + HEARD_AT]! : Number.NaN,
  };
}

/** A chunk of the former cells in those of today: where both kinds stood in the same, an episode of silence moves to its own. */
function migrated(bytes: Uint8Array, layout: EpisodeLayout): Uint8Array {
  const former = new Float64Array(Uint8Array.from(bytes).buffer);
  const size = FORMER_CELLS[layout];
  const current = new Float64Array((former.length / size) * CELLS);
  for (let k = 0; k * size < former.length; k++) {
    const cells = former.subarray(k * size, (k + 1) * size);
    const silence = layout === "joint" && cells[OPENING_REASON] === REASON_SILENCE;
    current.set(cells, k * CELLS + (silence ? SILENCE : 0));
    if (silence) current[k * CELLS + SILENCE + HEARD_AT] = cells[OPENED_AT]!;
  }
  return new Uint8Array(current.buffer);
}

interface Opening {
  readonly id: number;
  readonly timeUs: number;
  readonly reason: number;
  readonly severity: number;
}

function open(d: Float64Array, o: number, { id, timeUs, reason, severity }: Opening, cells: number = SILENCE): void {
  d.fill(0, o, o + cells);
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
  if (batch.confidence[i]! > d[o + PEAK_CONFIDENCE]!) d[o + PEAK_CONFIDENCE] = batch.confidence[i]!;
  d[o + SEVERITY] = severity;
  setReported(d, o, batch, i);
}

/** Makes the reading the one that the alert reports. */
function setReported(d: Float64Array, o: number, batch: ScoreBatch, i: number): void {
  d[o + PEAK_VALUE] = batch.value[i]!;
  d[o + EXPECTED] = batch.expected[i]!;
  d[o + BAND] = batch.band[i]!;
  d[o + REASON] = batch.reason[i]!;
}

/** How long an episode that is about to open has to be normal until it is over; NaN where it is another fault than the one before. */
function calmOfRecurrence(d: Float64Array, o: number, batch: ScoreBatch, i: number): number {
  const gapUs = batch.timeUs[i]! - d[o + LAST_SEEN_AT]!;
  const before = Math.sign(d[o + PEAK_VALUE]! - d[o + EXPECTED]!);
  const side = Math.sign(batch.value[i]! - batch.expected[i]!);
  return gapUs <= RECURS_US && side === before ? Math.min(RECURS_CALM * gapUs, RECURS_US) : Number.NaN;
}

function calm(d: Float64Array, o: number, timeUs: number): Transition {
  const state = d[o + STATE]!;
  if (state !== OPEN && state !== RESOLVED) return "none";
  d[o + CALM] = d[o + CALM]! + 1;
  const spans = timeUs - d[o + LAST_SEEN_AT]! >= CALM_US && d[o + CALM]! >= LEAST_CALM;
  if (d[o + CALM]! < CALM_READINGS && !spans) return "none";
  if (state === OPEN && timeUs - d[o + LAST_SEEN_AT]! < d[o + LEAST_CALM_US]!) return "none";
  if (state === RESOLVED) {
    d[o + STATE] = RESOLVED_CALM;
    return "none";
  }
  d[o + STATE] = RECOVERED;
  d[o + CLOSED_AT] = timeUs;
  return "recovered";
}
