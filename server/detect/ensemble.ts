import { coldness } from "./bar.ts";
import * as cell from "./cells.ts";
import { createScoreBatch, type Detector, type Explanation, type ScoreBatch } from "./detector.ts";
import { notJudged } from "./emission.ts";
import { Judge, PARTS, type Part, WARM_READINGS } from "./judge.ts";
import { CHUNK_MASK, CHUNK_SENSORS, CHUNK_SHIFT, type Chunk, Memory } from "./memory.ts";
import { CENTRE, learnHabits, MOVE, SPREAD, squash } from "./normaliser.ts";
import { FEATURE_REASONS, REASON_COUNTER, REASONS } from "./reasons.ts";
import { DEFAULT_BUDGET, type DetectorSettings, resolveSettings, type Settings, typeNumber } from "./settings.ts";
import { SILENT_GAPS, SILENT_INTERVALS, Silence, type TickObserver } from "./silence.ts";
import { JsTrunk, TRUNK_INPUTS, type TrunkRuntime } from "./trunk.ts";
import type { TypePrior } from "./young.ts";

/** Sensors whose newest reading is older than this when a tick comes are being replayed, not silent. */
const HISTORY_US = 3600e6;

/** A prior and the type it is of; "" for types that the model does not know. */
interface NamedPrior extends TypePrior {
  readonly sensorType: string;
}
const ANY_TYPE = typeNumber("");
const NO_PRIOR: NamedPrior = { sensorType: "", reach: 1 };

export interface DetectorOptions {
  /** Confidence from which a reading is anomalous, 0.5 to 0.9999 (MODEL_ACCURACY_THRESHOLD). Default 0.95. */
  readonly threshold?: number;
  /** Alarm budget on normal data. Default 0.1. */
  readonly alarmsPerSensorDay?: number;
  /** Only these may speak. Default: those that the model names, or all. */
  readonly parts?: readonly Part[];
}

export class EnsembleDetector implements Detector {
  readonly modelVersion: string;
  readonly stateVersion: number = cell.STATE_VERSION;
  readonly chunkSensors: number = CHUNK_SENSORS;
  readonly #trunk: TrunkRuntime;
  /** The trunk when it is the pinned kernel, which needs no batch. */
  readonly #kernel: JsTrunk | undefined;
  readonly #memory: Memory;
  readonly #judge: Judge;
  readonly #silence = new Silence();
  readonly #budget: number;
  #default: Settings;
  /** Settings of the types that have their own, by type number. */
  readonly #byType = new Map<number, Settings>();
  /** Priors of the types that the model knows, by type number. */
  readonly #priors: ReadonlyMap<number, NamedPrior>;

  constructor(trunk: TrunkRuntime, options: DetectorOptions = {}) {
    this.#trunk = trunk;
    this.#kernel = trunk instanceof JsTrunk ? trunk : undefined;
    this.#memory = new Memory(cell.DOUBLES, cell.TRUNK + 2 * trunk.model.units);
    this.#judge = new Judge(options.threshold ?? 0.95, options.parts ?? trunk.model.parts ?? PARTS);
    const priors = Object.entries(trunk.model.priors ?? {});
    this.#priors = new Map(priors.map(([sensorType, { reach }]) => [typeNumber(sensorType), { sensorType, reach }]));
    this.modelVersion = `${trunk.model.name}+${trunk.runtime}`;
    this.#budget = options.alarmsPerSensorDay ?? DEFAULT_BUDGET;
    this.#default = resolveSettings({}, this.#budget);
  }

  get bytesPerSensor(): number {
    return this.#memory.bytesPerSensor;
  }

  get sensors(): number {
    return this.#memory.sensors;
  }

  addSensor(sensorType: string, _unit: string): number {
    const slot = this.#memory.add();
    const { chunk, o } = this.#place(slot);
    chunk.f64[o + cell.TYPE] = typeNumber(sensorType);
    chunk.f64[o + cell.DEADLINE] = Number.POSITIVE_INFINITY;
    return slot;
  }

  configure(sensorType: string, settings: DetectorSettings): void {
    const resolved = resolveSettings(settings, this.#budget);
    if (sensorType === "") this.#default = resolved;
    else this.#byType.set(typeNumber(sensorType), resolved);
  }

  label(slot: number, correct: boolean, count: number, reason: number = 0): void {
    const { chunk, o } = this.#place(slot);
    const at = o + (correct ? cell.LABELLED_TRUE : cell.LABELLED_FALSE);
    chunk.f64[at] = chunk.f64[at]! + count;
    const feature = reason === 0 ? -1 : FEATURE_REASONS.indexOf(reason);
    if (feature < 0) return;
    const net = o + cell.NET_LABELS + feature;
    chunk.f64[net] = chunk.f64[net]! + (correct ? -count : count);
  }

  maintain(slot: number, fromUs: number, untilUs: number): void {
    const { chunk, o } = this.#place(slot);
    chunk.f64[o + cell.MAINTENANCE_FROM] = fromUs;
    chunk.f64[o + cell.MAINTENANCE_UNTIL] = untilUs;
  }

  tick(nowUs: number, observer?: TickObserver): number[] {
    return this.#silence.tick(nowUs, this.sensors, (slot) => this.#allowance(slot, nowUs), observer);
  }

  explain(slot: number, timeUs: number, value: number): Explanation {
    const { chunk, o, p } = this.#place(slot);
    const doubles = chunk.f64.slice(o, o + cell.DOUBLES);
    const floats = chunk.f32.slice(p, p + this.#memory.floats);
    const batch = createScoreBatch(1);
    batch.length = 1;
    batch.slot[0] = slot;
    batch.timeUs[0] = timeUs;
    batch.value[0] = value;
    const readings = doubles[cell.N]!;
    const votes = {
      surprise: new Float64Array(REASONS.length),
      weight: new Float64Array(REASONS.length),
      bar: Number.NaN,
      total: 0,
      young: readings < WARM_READINGS,
    };
    this.#judge.votes = votes;
    this.score(batch);
    this.#judge.votes = undefined;
    chunk.f64.set(doubles, o);
    chunk.f32.set(floats, p);
    const prior = votes.young ? this.#prior(doubles, 0).sensorType : undefined;
    return { batch, ...votes, readings, coldness: coldness(readings + 1), prior };
  }

  score(batch: ScoreBatch): void {
    if (this.#judge.votes === undefined) for (let i = 0; i < batch.length; i++) this.#silence.heard(batch.slot[i]!);
    const kernel = this.#kernel;
    if (kernel === undefined) {
      this.#scoreInRounds(batch);
      return;
    }
    const chunks = this.#memory.chunks;
    const floats = this.#memory.floats;
    for (let i = 0; i < batch.length; i++) {
      const slot = batch.slot[i]!;
      const chunk = chunks[slot >> CHUNK_SHIFT]!;
      const d = chunk.f64;
      const o = (slot & CHUNK_MASK) * cell.DOUBLES;
      const p = (slot & CHUNK_MASK) * floats;
      if (inMaintenance(d, o, batch, i)) continue;
      const settings = this.#settings(d, o);
      const value = settings.counter ? rateOf(d, o, batch.timeUs[i]!, batch.value[i]!) : batch.value[i]!;
      sense(d, o, value);
      const foretold = kernel.stepOne(inputOfPlace(d, o, value), inputOfMove(d, o, value), chunk.f32, p + cell.TRUNK);
      this.#finish(d, o, chunk.f32, p, value, foretold, settings, batch, i);
    }
  }

  #finish(
    d: Float64Array,
    o: number,
    f: Float32Array,
    p: number,
    value: number,
    foretold: number,
    settings: Settings,
    batch: ScoreBatch,
    i: number,
  ): void {
    const lastTime = d[o + cell.LAST_TIME]!;
    this.#judge.judge(d, o, f, p, value, foretold, settings, this.#prior(d, o), batch, i);
    if (settings.counter) this.#reportCounter(d, o, lastTime, batch, i);
  }

  /** A counter's bounds in its own unit; a fall of it is told as a reset. */
  #reportCounter(d: Float64Array, o: number, lastTime: number, batch: ScoreBatch, i: number): void {
    const seconds = (batch.timeUs[i]! - lastTime) / 1e6;
    const last = d[o + cell.RAW_VALUE]!;
    if (batch.anomaly[i] === 1 && batch.value[i]! < last) batch.reason[i] = REASON_COUNTER;
    batch.expected[i] = last + batch.expected[i]! * seconds;
    batch.band[i] = batch.band[i]! * seconds;
    d[o + cell.RAW_VALUE] = batch.value[i]!;
  }

  #settings(d: Float64Array, o: number): Settings {
    if (this.#byType.size === 0) return this.#default;
    return this.#byType.get(d[o + cell.TYPE]!) ?? this.#default;
  }

  /** Prior of a sensor's type: its own, or that of types that the model does not know. */
  #prior(d: Float64Array, o: number): NamedPrior {
    return this.#priors.get(d[o + cell.TYPE]!) ?? this.#priors.get(ANY_TYPE) ?? NO_PRIOR;
  }

  /** How long a sensor may be silent from now on: for ever while it is young, or when its readings are of long ago. */
  #allowance(slot: number, nowUs: number): number {
    const { chunk, o } = this.#place(slot);
    const d = chunk.f64;
    const set = this.#settings(d, o).silenceUs;
    const old = nowUs - d[o + cell.LAST_TIME]! > HISTORY_US + 10 * d[o + cell.INTERVAL]!;
    if (old || d[o + cell.N]! <= WARM_READINGS) return Number.POSITIVE_INFINITY;
    if (!Number.isNaN(set)) return set;
    return Math.max(SILENT_INTERVALS * d[o + cell.INTERVAL]!, SILENT_GAPS * d[o + cell.LONGEST_GAP]!);
  }

  saveChunk(chunk: number): Uint8Array {
    const from = chunk * CHUNK_SENSORS;
    const count = Math.min(CHUNK_SENSORS, this.sensors - from);
    const d = this.#memory.chunks[chunk]!.f64;
    this.#silence.save(from, count, d, (slot) => (slot & CHUNK_MASK) * cell.DOUBLES + cell.DEADLINE);
    return this.#memory.save(chunk);
  }

  loadChunk(chunk: number, bytes: Uint8Array, sensors: number): void {
    this.#memory.load(chunk, bytes, sensors);
    const d = this.#memory.chunks[chunk]!.f64;
    for (let k = 0; k < sensors; k++) {
      this.#silence.restore(chunk * CHUNK_SENSORS + k, d[k * cell.DOUBLES + cell.DEADLINE]!);
    }
  }

  /** For runtimes that want batches: the k-th readings of all sensors together, round by round. */
  #scoreInRounds(batch: ScoreBatch): void {
    const units = this.#trunk.model.units;
    for (const rows of splitRounds(batch)) {
      const taken = rows.filter(
        (i) => !inMaintenance(this.#place(batch.slot[i]!).chunk.f64, this.#place(batch.slot[i]!).o, batch, i),
      );
      const input = new Float32Array(taken.length * TRUNK_INPUTS);
      const state = new Float32Array(taken.length * 2 * units);
      const output = new Float32Array(taken.length);
      const values = taken.map((i, k) => {
        const { chunk, o, p } = this.#place(batch.slot[i]!);
        const d = chunk.f64;
        const counter = this.#settings(d, o).counter;
        const value = counter ? rateOf(d, o, batch.timeUs[i]!, batch.value[i]!) : batch.value[i]!;
        sense(d, o, value);
        input[k * TRUNK_INPUTS] = inputOfPlace(d, o, value);
        input[k * TRUNK_INPUTS + 1] = inputOfMove(d, o, value);
        state.set(chunk.f32.subarray(p + cell.TRUNK, p + cell.TRUNK + 2 * units), k * 2 * units);
        return value;
      });
      this.#trunk.step(taken.length, input, state, output);
      taken.forEach((i, k) => {
        const { chunk, o, p } = this.#place(batch.slot[i]!);
        chunk.f32.set(state.subarray(k * 2 * units, (k + 1) * 2 * units), p + cell.TRUNK);
        this.#finish(chunk.f64, o, chunk.f32, p, values[k]!, output[k]!, this.#settings(chunk.f64, o), batch, i);
      });
    }
  }

  #place(slot: number): { chunk: Chunk; o: number; p: number } {
    const at = slot & CHUNK_MASK;
    return { chunk: this.#memory.chunks[slot >> CHUNK_SHIFT]!, o: at * cell.DOUBLES, p: at * this.#memory.floats };
  }
}

function sense(d: Float64Array, o: number, value: number): void {
  const n = d[o + cell.N]!;
  learnHabits(d, o + cell.HABITS, n, value, n === 0 ? value : d[o + cell.LAST_VALUE]!);
}

function inputOfPlace(d: Float64Array, o: number, value: number): number {
  const habits = o + cell.HABITS;
  const spread = d[habits + SPREAD]!;
  return spread > 0 ? squash((value - d[habits + CENTRE]!) / spread) : 0;
}

function inputOfMove(d: Float64Array, o: number, value: number): number {
  return d[o + cell.N]! > 0 ? squash((value - d[o + cell.LAST_VALUE]!) / d[o + cell.HABITS + MOVE]!) : 0;
}

/** A counter's growth per second since its last reading; after a reset it counts from zero. */
function rateOf(d: Float64Array, o: number, time: number, raw: number): number {
  if (d[o + cell.N] === 0) {
    d[o + cell.RAW_VALUE] = raw;
    return 0;
  }
  const last = d[o + cell.RAW_VALUE]!;
  return ((raw >= last ? raw - last : raw) * 1e6) / (time - d[o + cell.LAST_TIME]!);
}

/** Readings in a maintenance window leave no trace but their time. */
function inMaintenance(d: Float64Array, o: number, batch: ScoreBatch, i: number): boolean {
  const time = batch.timeUs[i]!;
  if (time >= d[o + cell.MAINTENANCE_UNTIL]! || time < d[o + cell.MAINTENANCE_FROM]!) return false;
  notJudged(batch, i);
  if (d[o + cell.N]! > 0) d[o + cell.LAST_TIME] = time;
  d[o + cell.RAW_VALUE] = batch.value[i]!;
  return true;
}

/** Rows of a batch in rounds: no round holds two readings of a sensor, and each sensor's come in order. */
function splitRounds(batch: ScoreBatch): number[][] {
  const rounds: number[][] = [];
  const seen = new Map<number, number>();
  for (let i = 0; i < batch.length; i++) {
    const round = seen.get(batch.slot[i]!) ?? 0;
    seen.set(batch.slot[i]!, round + 1);
    if (round === rounds.length) rounds.push([]);
    rounds[round]!.push(i);
  }
  return rounds;
}
