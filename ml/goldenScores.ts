/**
 * Golden scores: what the detector found of 1.6 million readings, and the state that it kept, as one hash for each sensor. Whoever
 * changes the kernel sees at once whether its bits stayed the same. `node ml/goldenScores.ts` rewrites them: only where the
 * mathematics is meant to change, together with the version of the model or of the state.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import {
  createDetector,
  createScoreBatch,
  type Detector,
  type DetectorSettings,
  type ScoreBatch,
} from "../server/detect/index.ts";
import { Random } from "./random.ts";
import { SIGNALS, signalOf } from "./signals.ts";

const GOLDEN_SCORES: URL = new URL("./golden/scores.json", import.meta.url);
/** Sensors of each kind, and readings of each sensor. */
const VARIANTS = 8;
const READINGS = 20_000;
/** More than one chunk of state. */
const SENSORS: number = SIGNALS.length * VARIANTS;
const LARGEST_BATCH = 700;
const START_US = 1_704_067_200e6;

/** Settings of the types that sensors of each variant are of; the first are types that the model has priors of. */
const TYPES: readonly (readonly [string, DetectorSettings | undefined])[] = [
  ["temperature", undefined],
  ["", undefined],
  ["power", { alarmsPerSensorDay: 3 }],
  ["unheard of", { rangeMin: -20, rangeMax: 40, maxRatePerSecond: 0.5, stuckSeconds: 90 }],
  ["busy", { alarmsPerSensorDay: 50, stuckSeconds: 3600, silenceSeconds: 60 }],
  ["counter", { counter: true }],
  ["limited counter", { counter: true, rangeMax: 5, alarmsPerSensorDay: 0.01 }],
  ["vibration", undefined],
];

export interface GoldenScores {
  readonly readings: number;
  readonly model: string;
  readonly stateVersion: number;
  /** By "detector/kind/variant": hash of outputs, explanations and state. */
  readonly sensors: Readonly<Record<string, string>>;
}

const DETECTORS = [
  { name: "default", options: {}, share: 1 },
  { name: "mild", options: { threshold: 0.9999, alarmsPerSensorDay: 0.5 }, share: 0.05 },
  { name: "strict", options: { threshold: 0.5, parts: ["records", "season", "stuck"] as const }, share: 0.05 },
];

/** Scores all readings. `share` of them, to be quicker. */
export function playGolden(share = 1, shardSensors?: number): GoldenScores {
  const sensors: Record<string, string> = {};
  let readings = 0;
  let model = "";
  let stateVersion = 0;
  for (const { name, options, share: own } of DETECTORS) {
    const detector = createDetector({ ...options, ...(shardSensors === undefined ? {} : { shardSensors }) });
    const play = new Play(detector, Math.round(READINGS * own * share));
    for (const [sensor, hash] of play.run()) sensors[`${name}/${sensor}`] = hash;
    readings += play.readings;
    model = detector.modelVersion;
    stateVersion = detector.stateVersion;
  }
  return { readings, model, stateVersion, sensors };
}

/** One detector and all kinds of sensors. */
class Play {
  readonly #detector: Detector;
  readonly #each: number;
  readonly #random = new Random(77);
  readonly #batch = createScoreBatch(LARGEST_BATCH);
  readonly #signals = Array.from({ length: SENSORS }, (_, s) =>
    signalOf(Math.floor(s / VARIANTS), new Random(1000 + s)),
  );
  readonly #clocks = Array.from({ length: SENSORS }, (_, s) => new Random(5000 + s));
  readonly #hashes = Array.from({ length: SENSORS }, () => createHash("sha256"));
  readonly #seen = new Int32Array(SENSORS);
  readonly #timeUs = Float64Array.from({ length: SENSORS }, (_, s) => (s % VARIANTS === 7 ? -3e12 : START_US + s));
  #nowUs = START_US;
  readings = 0;

  constructor(detector: Detector, each: number) {
    this.#detector = detector;
    this.#each = each;
  }

  run(): [string, string][] {
    for (const [type, settings] of TYPES) if (settings !== undefined) this.#detector.configure(type, settings);
    for (let s = 0; s < SENSORS; s++) this.#detector.addSensor(TYPES[s % VARIANTS]![0], "");
    for (let step = 0; this.#fill(step); step++) {
      this.#detector.score(this.#batch);
      this.#keep(this.#batch);
      this.readings += this.#batch.length;
      this.#tick();
      if (step % 16 === 5) this.#control();
      if (step % 128 === 50) this.#reload();
    }
    this.#keepState();
    return this.#hashes.map((hash, s) => [
      `${SIGNALS[Math.floor(s / VARIANTS)]![0]}/${s % VARIANTS}`,
      hash.digest("hex").slice(0, 16),
    ]);
  }

  /** Fills the batch: blocks of one sensor's readings, or one of each. False where all have been scored. */
  #fill(step: number): boolean {
    const random = this.#random;
    const block = [1, 100, 7, 1, 33][step % 5]!;
    const size = 1 + random.below(LARGEST_BATCH);
    let at = 0;
    let slot = random.below(SENSORS);
    for (let tried = 0; at < size && tried < SENSORS; slot = (slot + 1) % SENSORS) {
      const count = Math.min(block, size - at, this.#each - this.#seen[slot]!);
      tried = count === 0 ? tried + 1 : 0;
      for (let k = 0; k < count; k++) this.#put(at++, slot);
    }
    this.#batch.length = at;
    return at > 0;
  }

  #put(row: number, slot: number): void {
    const n = this.#seen[slot]!++;
    const timeUs = this.#timeUs[slot]! + this.#gap(slot);
    this.#timeUs[slot] = timeUs;
    this.#batch.slot[row] = slot;
    this.#batch.timeUs[row] = timeUs;
    const value = this.#signals[slot]!(n, timeUs);
    this.#batch.value[row] = Number.isFinite(value) ? value : 0;
  }

  /** Regular seconds, minutes and ten minutes; irregular; with long gaps; a microsecond. */
  #gap(slot: number): number {
    const random = this.#clocks[slot]!;
    switch (slot % VARIANTS) {
      case 0:
        return 600e6;
      case 1:
        return 1e6;
      case 2:
        return Math.floor(random.between(1, 3600e6));
      case 3:
        return random.below(500) === 0 ? 7 * 3600e6 : 60e6;
      case 4:
        return 1 + random.below(3);
      case 5:
        return 60e6 + random.below(2e6);
      case 6:
        return random.below(90) === 0 ? 86_400e6 : 1800e6;
      default:
        return 300e6;
    }
  }

  /** The log's time goes on, by seconds, by more, or after a standstill: who is silent now? */
  #tick(): void {
    const die = this.#random.below(60);
    this.#nowUs += die === 0 ? 3600e6 : die === 1 ? 9e6 : die < 8 ? 3e6 : 1e6;
    for (const slot of this.#detector.tick(this.#nowUs)) this.#hashes[slot]!.update(`silent ${this.#nowUs}`);
  }

  /** What else happens to a sensor: labels, maintenance, other settings, a question. */
  #control(): void {
    const random = this.#random;
    const slot = random.below(SENSORS);
    const time = this.#timeUs[slot]!;
    switch (random.below(5)) {
      case 0:
        this.#detector.label(slot, random.below(3) === 0, 1, [0, 1, 2, 4, 7, 9, 10, 18, 19, 20][random.below(10)]!);
        break;
      case 1:
        this.#detector.label(slot, random.below(2) === 0, -1, 10);
        break;
      case 2:
        this.#detector.maintain(slot, time + random.below(3) * 600e6, time + 1 + random.below(90) * 600e6);
        break;
      case 3:
        this.#detector.configure("vibration", random.below(2) === 0 ? {} : { alarmsPerSensorDay: 1 + random.below(9) });
        break;
      default:
        this.#explain(slot);
    }
  }

  #explain(slot: number): void {
    const value = this.#random.between(-30, 30);
    const why = this.#detector.explain(slot, this.#timeUs[slot]! + 1e6, value);
    const { threshold, total, readings, coldStartFactor } = why;
    const hash = this.#hashes[slot]!;
    hash.update(
      canonical(Float64Array.from([threshold, total, readings, coldStartFactor, ...why.rawScore, ...why.weight])),
    );
    hash.update(`${why.coldStart} ${why.prior}`);
    this.#keepRow(why.batch, 0);
  }

  /** Saves a chunk and restores it: nothing may change. */
  #reload(): void {
    const size = this.#detector.chunkSensors;
    const chunk = this.#random.below(Math.ceil(SENSORS / size));
    const bytes = this.#detector.saveChunk(chunk);
    this.#detector.loadChunk(chunk, bytes, Math.min(size, SENSORS - chunk * size));
  }

  #keep(batch: ScoreBatch): void {
    for (let i = 0; i < batch.length; i++) this.#keepRow(batch, i);
  }

  #keepRow(batch: ScoreBatch, i: number): void {
    const { confidence, score, anomaly, reason, expected, band, signal } = batch;
    const row = [confidence[i]!, score[i]!, anomaly[i]!, reason[i]!, expected[i]!, band[i]!, signal[i]!];
    this.#hashes[batch.slot[i]!]!.update(canonical(Float64Array.from(row)));
  }

  /** The saved state: a chunk's double-precision cells, sensor by sensor, then the single-precision ones. */
  #keepState(): void {
    const size = this.#detector.chunkSensors;
    const doubles = SAVED_DOUBLES;
    const floats = SAVED_FLOATS;
    for (let s = 0; s < SENSORS; s++) {
      const bytes = this.#detector.saveChunk(Math.floor(s / size)).buffer;
      const k = s % size;
      this.#hashes[s]!.update(canonical(new Float64Array(bytes, 8 * k * doubles, doubles)));
      const single = new Float32Array(bytes, 8 * size * doubles + 4 * k * floats, floats);
      this.#hashes[s]!.update(canonical(Float64Array.from(single)));
    }
  }
}

/** Cells of a sensor in the saved layout. */
const SAVED_DOUBLES = 85;
const SAVED_FLOATS = 830;

/** Bytes in which every NaN has the same bits: which ones it gets is up to the processor. */
function canonical(numbers: Float64Array): Uint8Array {
  const copy = numbers.slice();
  for (let i = 0; i < copy.length; i++) if (Number.isNaN(copy[i]!)) copy[i] = Number.NaN;
  return new Uint8Array(copy.buffer);
}

export function readGoldenScores(): GoldenScores {
  return JSON.parse(readFileSync(GOLDEN_SCORES, "utf8"));
}

if (import.meta.main) {
  const golden = playGolden();
  writeFileSync(GOLDEN_SCORES, `${JSON.stringify(golden, undefined, 1)}\n`);
  console.log(`${golden.readings} readings of ${Object.keys(golden.sensors).length} sensors`);
}
