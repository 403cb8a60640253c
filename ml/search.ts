import {
  createDetector,
  createScoreBatch,
  KernelTrunk,
  PARTS,
  type Part,
  type TrunkModel,
} from "../server/detect/index.ts";
import { MINUTE_US } from "../server/lib/time.ts";
import { KINDS, trainingSeries } from "./curriculum.ts";
import { Random } from "./random.ts";
import { named, type Trained, type TrainOptions, trainTrunk } from "./train.ts";

/**
 * The bounded search of `telltale train --search`. Its space: SEARCH_UNITS sizes of the recurrent model, then SEARCH_ENSEMBLES sets
 * of detectors with the size kept. Sizes are compared by the loss on the held-out last fifth of the series; ensembles by the recall of
 * faults injected there, each at the threshold at which the same stretch without faults raises no more alarms than the budget allows.
 */
export const SEARCH_UNITS: readonly number[] = [4, 8, 12, 16];
export const SEARCH_ENSEMBLES: readonly (readonly Part[])[] = [
  PARTS,
  ...PARTS.map((without) => PARTS.filter((part) => part !== without)),
];
/** A larger model must be better on held-out series by this share to be worth its cost. */
const WORTHWHILE_LOSS = 0.01;
/** A smaller ensemble must find this share of the faults more than the whole one, and so many of them, or the whole one stays. */
const WORTHWHILE_RECALL = 0.02;
const WORTHWHILE_FAULTS = 4;

/** Series looked at, the readings of each, and the alarms per 10,000 readings that are allowed. */
const MAX_SERIES = 24;
const MAX_READINGS = 12_000;
const ALLOWED_PER_TEN_THOUSAND = 1;
const HELD_OUT = 0.2;
/** Places of each fault in the held-out stretch, shares of it; a fault lasts this many readings. */
const PLACES: readonly number[] = [0.1, 0.4, 0.7];
const FAULT_READINGS = 40;
const START_US = 1_704_067_200e6;
const SIMULATED_READINGS = 4000;
const SIMULATED_SEED = 77;

type Fault = (value: number, k: number, size: number, before: number, random: Random) => number;
/** Faults in units of the series' own usual move. */
const FAULTS: readonly Fault[] = [
  (value, k, size) => (k === 0 ? value + 8 * size : value),
  (value, _k, size) => value + 5 * size,
  (_value, _k, _size, before) => before,
  (value, _k, size, _before, random) => value + 3 * size * random.normal(),
  () => 0,
];

export interface SizeTried {
  readonly units: number;
  readonly loss: number;
}
export interface EnsembleTried {
  readonly parts: readonly Part[];
  readonly recall: number;
}
export interface Found {
  readonly trained: Trained;
  readonly options: TrainOptions;
  readonly sizes: readonly SizeTried[];
  readonly ensembles: readonly EnsembleTried[];
}

/** `train` trains one candidate (and shows its progress); `tried` is called with each candidate when it is judged. */
export async function search(
  options: Omit<TrainOptions, "units">,
  tried: (candidate: SizeTried | EnsembleTried) => void = () => {},
  train: (options: TrainOptions) => Promise<Trained> = trainTrunk,
): Promise<Found> {
  const candidates: { options: TrainOptions; trained: Trained; loss: number }[] = [];
  for (const units of SEARCH_UNITS) {
    const wanted: TrainOptions = { ...options, units };
    const trained = await train(wanted);
    const loss = heldOutLoss(trained);
    candidates.push({ options: wanted, trained, loss });
    tried({ units, loss });
  }
  const best = Math.min(...candidates.map((c) => c.loss));
  const size = candidates.find((c) => c.loss <= best * (1 + WORTHWHILE_LOSS))!;
  const series = (options.history ?? simulated()).slice(0, MAX_SERIES).map((s) => s.slice(-MAX_READINGS));
  const ensembles = SEARCH_ENSEMBLES.map((parts) => {
    const candidate = { parts, recall: recallOf(size.trained.model, parts, series) };
    tried(candidate);
    return candidate;
  });
  const whole = ensembles[0]!;
  const winner = ensembles.reduce((a, b) => (b.recall > a.recall ? b : a));
  const least = Math.max(WORTHWHILE_RECALL, WORTHWHILE_FAULTS / (series.length * PLACES.length * FAULTS.length));
  const chosen = winner.recall >= whole.recall + least ? winner : whole;
  const model =
    chosen === whole ? size.trained.model : named({ ...size.trained.model, parts: chosen.parts }, size.options);
  const sizes = candidates.map(({ options: { units }, loss }) => ({ units, loss }));
  return { trained: { ...size.trained, model }, options: size.options, sizes, ensembles };
}

/** On the user's own series where there are some, else the mean over the simulated kinds. */
function heldOutLoss(trained: Trained): number {
  const own = trained.heldOut.history;
  if (own !== undefined) return own.model;
  const all = Object.values(trained.heldOut);
  return all.reduce((sum, kind) => sum + kind.model, 0) / all.length;
}

function simulated(): Float64Array[] {
  const random = new Random(SIMULATED_SEED);
  return KINDS.map((kind) => trainingSeries(kind, SIMULATED_READINGS, random));
}

/** Share of the injected faults whose signal is above what the same stretch reaches without them. */
export function recallOf(model: TrunkModel, parts: readonly Part[], series: readonly Float64Array[]): number {
  const trunk = new KernelTrunk(model);
  const found: number[] = [];
  const clean: number[] = [];
  let readings = 0;
  series.forEach((values, s) => {
    const player = new Player(trunk, parts);
    const from = Math.floor(values.length * (1 - HELD_OUT));
    const size = usualMove(values.subarray(0, from));
    player.play(values, 0, from);
    const random = new Random(SIMULATED_SEED + s);
    let at = from;
    for (const place of PLACES) {
      const start = from + Math.floor(place * (values.length - from));
      clean.push(...player.play(values, at, start));
      at = start;
      for (const fault of FAULTS) {
        const end = Math.min(start + FAULT_READINGS, values.length);
        const faulty = values.slice(0, end);
        for (let i = start; i < end; i++) faulty[i] = fault(values[i]!, i - start, size, values[start - 1]!, random);
        const saved = player.save();
        found.push(Math.max(0, ...player.play(faulty, start, end)));
        player.restore(saved);
      }
    }
    clean.push(...player.play(values, at, values.length));
    readings += values.length - from;
  });
  clean.sort((a, b) => b - a);
  const threshold = clean[Math.floor((readings * ALLOWED_PER_TEN_THOUSAND) / 10_000)] ?? 0;
  return found.filter((signal) => signal > threshold).length / found.length;
}

/** Mean size of the moves from reading to reading. */
function usualMove(values: Float64Array): number {
  let sum = 0;
  for (let i = 1; i < values.length; i++) sum += Math.abs(values[i]! - values[i - 1]!);
  return sum / Math.max(1, values.length - 1);
}

/** One sensor whose readings come once a minute. */
class Player {
  readonly #detector;

  constructor(trunk: KernelTrunk, parts: readonly Part[]) {
    this.#detector = createDetector({ parts }, trunk);
    this.#detector.addSensor("", "");
  }

  /** Scores readings [from, to) and returns the signals that were emitted. */
  play(values: Float64Array, from: number, to: number): number[] {
    const batch = createScoreBatch(to - from);
    batch.length = to - from;
    for (let i = from; i < to; i++) {
      batch.timeUs[i - from] = START_US + i * MINUTE_US;
      batch.value[i - from] = values[i]!;
    }
    this.#detector.score(batch);
    return Array.from(batch.signal).filter((signal) => signal > 0);
  }

  save(): Uint8Array {
    return this.#detector.saveChunk(0);
  }

  restore(state: Uint8Array): void {
    this.#detector.loadChunk(0, state, 1);
  }
}
