import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import "@tensorflow/tfjs-backend-wasm";
import { SeriesFollower } from "../server/detect/kernel/follower.ts";
import { TRUNK_INPUTS, type TrunkModel } from "../server/detect/kernel/trunk-model.ts";
import { typeNumber } from "../server/detect/settings.ts";
import { KINDS, trainingSeries } from "./curriculum.ts";
import { priorOf, simulatedPriors, YOUNG_READINGS } from "./priors.ts";
import { Random } from "./random.ts";

/**
 * Trains the trunk with TensorFlow.js from a seed. The same seed gives the same weights on the same TensorFlow.js: series,
 * initial weights and order of batches all come from it, and the wasm backend runs in one thread.
 */
export interface TrainOptions {
  readonly seed: number;
  readonly units: number;
  readonly steps: number;
  /** The user's own series: half of each batch is cut from their first four fifths, the rest is held out. */
  readonly history?: readonly Float64Array[];
  /** Sensor type of those series: the model gets a prior for it, found on them. */
  readonly sensorType?: string;
  readonly progress?: (step: number, steps: number, loss: number) => void;
}

export interface Trained {
  readonly model: TrunkModel;
  /** Mean Huber loss of one-step moves on held-out series, by kind; and of "it stays where it is". */
  readonly heldOut: Record<string, { model: number; persistence: number }>;
}

export const DEFAULT_TRAINING = { seed: 7, units: 8, steps: 3000 } as const;
/** Name of the committed model: a new number with each change of the detector that changes scores. */
const DEFAULT_NAME = "telltale-9";
/** Stretches of one's own series that a type's prior is found on. */
const OWN_STRETCHES = 100;
const BATCH = 64;
/** Readings of a training sequence; the first WARM do not count for the model. */
const LENGTH = 48;
const WARM = 8;
const HISTORY = 96;
const LEARNING_RATE = 0.01;
const HELD_OUT_SEED = 1_000_003;
const TRAIN_PART = [0, 0.8] as const;
const HELD_OUT_PART = [0.8, 1] as const;
/** Readings that one training sequence takes, and that a series must have to give one to each part. */
const SHORTEST_PART = HISTORY + LENGTH + 1;
export const SHORTEST_HISTORY = 5 * SHORTEST_PART + 5;

interface Examples {
  /** [LENGTH][rows × inputs], and [LENGTH][rows]: the next move, squashed. */
  readonly inputs: Float32Array[];
  readonly targets: Float32Array[];
  readonly rows: number;
}

export async function trainTrunk(options: TrainOptions): Promise<Trained> {
  await tf.setBackend("wasm");
  await tf.ready();
  const random = new Random(options.seed);
  const units = options.units;
  const weights = initialWeights(units, random);
  const optimizer = tf.train.adam(LEARNING_RATE);
  for (let step = 0; step < options.steps; step++) {
    const kinds = Array.from({ length: BATCH }, (_, i) => KINDS[i % KINDS.length]!);
    const examples = makeExamples(kinds, random, options.history ?? [], TRAIN_PART);
    setRate(optimizer, LEARNING_RATE * Math.max(0.02, 1 - step / options.steps));
    const loss = optimizer.minimize(() => sequenceLoss(weights, units, examples), true)!;
    if (step % 20 === 0 || step + 1 === options.steps) options.progress?.(step, options.steps, loss.dataSync()[0]!);
    loss.dispose();
  }
  const kernel = rounded(weights.kernel);
  const bias = rounded(weights.bias);
  const head = [...rounded(weights.head), ...rounded(weights.constant)];
  const trunk = { name: "untold", units, kernel, bias, head };
  const priors = findPriors(trunk, options);
  const model: TrunkModel = named({ ...trunk, priors }, options);
  const heldOut = evaluate(weights, units, options.history ?? []);
  for (const weight of Object.values(weights)) weight.dispose();
  return { model, heldOut };
}

/** The committed model has its own name; any other is named by its content, so that two models never share a version. */
export function named(model: TrunkModel, options: TrainOptions): TrunkModel {
  const { seed, units, steps } = DEFAULT_TRAINING;
  const ours = options.seed === seed && options.units === units && options.steps === steps;
  if (ours && options.history === undefined && model.parts === undefined) return { ...model, name: DEFAULT_NAME };
  const content = JSON.stringify([model.kernel, model.bias, model.head, model.priors, model.parts]);
  return { ...model, name: `own-${typeNumber(content).toString(16).padStart(8, "0")}` };
}

/** Priors of the types by simulated series, and of the history's type by stretches of it. */
function findPriors(model: TrunkModel, options: TrainOptions): NonNullable<TrunkModel["priors"]> {
  const random = new Random(options.seed + 1);
  const priors = simulatedPriors(model, random);
  const { history, sensorType } = options;
  if (history === undefined || sensorType === undefined) return priors;
  const stretches = Array.from({ length: OWN_STRETCHES }, () =>
    cut(history, TRAIN_PART, random).subarray(0, YOUNG_READINGS),
  );
  return { ...priors, [sensorType]: priorOf(model, stretches) };
}

/** The rate is a plain field of the optimizer that its types hide; a new optimizer would forget the moments. */
function setRate(optimizer: tf.Optimizer, rate: number): void {
  (optimizer as unknown as { learningRate: number }).learningRate = rate;
}

type Weights = { kernel: tf.Variable; bias: tf.Variable; head: tf.Variable; constant: tf.Variable };

function initialWeights(units: number, random: Random): Weights {
  const rows = TRUNK_INPUTS + units;
  const normal = (count: number, size: number) => Float32Array.from({ length: count }, () => size * random.normal());
  // Forget gates begin open (bias 1), as Jozefowicz et al. 2015 advise.
  const bias = Float32Array.from({ length: 4 * units }, (_, i) => (i >= units && i < 2 * units ? 1 : 0));
  return {
    kernel: tf.variable(tf.tensor2d(normal(rows * 4 * units, 1 / Math.sqrt(rows)), [rows, 4 * units])),
    bias: tf.variable(tf.tensor1d(bias)),
    head: tf.variable(tf.tensor2d(normal(units, 0.1), [units, 1])),
    constant: tf.variable(tf.zeros([1])),
  };
}

/** Sequences of the trunk's inputs and what came next, through the same normaliser that serves live readings. */
function makeExamples(
  kinds: readonly string[],
  random: Random,
  history: readonly Float64Array[] = [],
  part: readonly [number, number] = TRAIN_PART,
): Examples {
  const rows = kinds.length;
  const inputs = Array.from({ length: LENGTH }, () => new Float32Array(rows * TRUNK_INPUTS));
  const targets = Array.from({ length: LENGTH }, () => new Float32Array(rows));
  const follower = new SeriesFollower();
  kinds.forEach((kind, row) => {
    const own = history.length > 0 && (row % 2 === 1 || kind === "history");
    const series = own ? cut(history, part, random) : trainingSeries(kind, HISTORY + LENGTH + 1, random);
    follower.restart();
    for (let i = 0; i < HISTORY + LENGTH; i++) {
      const { place, step } = follower.take(series[i]!);
      const t = i - HISTORY;
      if (t < 0) continue;
      inputs[t]![row * TRUNK_INPUTS] = place;
      inputs[t]![row * TRUNK_INPUTS + 1] = step;
      targets[t]![row] = follower.moveTo(series[i + 1]!);
    }
  });
  return { inputs, targets, rows };
}

/** A stretch of one of the series, from within the part of it that is allowed. */
function cut(history: readonly Float64Array[], part: readonly [number, number], random: Random): Float64Array {
  const series = history[random.below(history.length)]!;
  const first = Math.floor(part[0] * series.length);
  const room = Math.floor(part[1] * series.length) - first - SHORTEST_PART;
  const start = first + random.below(Math.max(1, room));
  return series.subarray(start, start + SHORTEST_PART);
}

/** Mean Huber loss of the forecast moves of a batch of sequences, from an empty state. */
function sequenceLoss(weights: Weights, units: number, examples: Examples): tf.Scalar {
  let h: tf.Tensor2D = tf.zeros([examples.rows, units]);
  let c: tf.Tensor2D = tf.zeros([examples.rows, units]);
  const losses: tf.Scalar[] = [];
  for (let t = 0; t < LENGTH; t++) {
    const x = tf.tensor2d(examples.inputs[t]!, [examples.rows, TRUNK_INPUTS]);
    const gates = tf.add(tf.matMul(tf.concat([x, h], 1), weights.kernel as tf.Tensor2D), weights.bias);
    const gate = (k: number) => tf.slice(gates as tf.Tensor2D, [0, k * units], [examples.rows, units]);
    c = tf.add(tf.mul(tf.sigmoid(gate(1)), c), tf.mul(tf.sigmoid(gate(0)), tf.tanh(gate(2))));
    h = tf.mul(tf.sigmoid(gate(3)), tf.tanh(c));
    if (t < WARM) continue;
    const move = tf.add(tf.matMul(h, weights.head as tf.Tensor2D), weights.constant);
    losses.push(huber(tf.sub(move, tf.tensor2d(examples.targets[t]!, [examples.rows, 1]))));
  }
  return tf.div(tf.addN(losses), losses.length);
}

/** sqrt(1 + e²) - 1: quadratic near 0, linear far out. */
function huber(error: tf.Tensor): tf.Scalar {
  return tf.mean(tf.sub(tf.sqrt(tf.add(tf.square(error), 1)), 1));
}

function evaluate(weights: Weights, units: number, history: readonly Float64Array[]): Trained["heldOut"] {
  const heldOut: Trained["heldOut"] = {};
  for (const kind of history.length > 0 ? [...KINDS, "history"] : KINDS) {
    const own = kind === "history" ? history : [];
    const names = new Array<string>(128).fill(kind);
    const examples = makeExamples(names, new Random(HELD_OUT_SEED), own, HELD_OUT_PART);
    const model = tf.tidy(() => sequenceLoss(weights, units, examples).dataSync()[0]!);
    const persistence = tf.tidy(() => {
      const all = examples.targets.slice(WARM).map((t) => huber(tf.tensor1d(t)));
      return tf.div(tf.addN(all), all.length).dataSync()[0]!;
    });
    heldOut[kind] = { model: Number(model.toFixed(5)), persistence: Number(persistence.toFixed(5)) };
  }
  return heldOut;
}

/** Weights as doubles that are exact single-precision numbers. */
function rounded(variable: tf.Variable): number[] {
  return Array.from(variable.dataSync());
}

/** Where the committed model and its card are. */
const MODEL_FILE: string = join(import.meta.dirname, "model/forecaster.json");

/** The model file's content: weights, and the card that says where they come from. */
export function modelFile(trained: Trained, options: TrainOptions): string {
  const { seed, units, steps, history } = options;
  const own = history === undefined ? "" : `, and ${history.length} series of one's own`;
  const card = {
    data: `simulated, kinds: ${KINDS.join(", ")} (ml/curriculum.ts)${own}`,
    seed,
    units,
    steps,
    tensorflow: tf.version_core,
    heldOut: trained.heldOut,
  };
  return `${JSON.stringify({ format: 1, ...trained.model, card }, undefined, 1)}\n`;
}

if (import.meta.main) {
  const progress = (step: number, steps: number, loss: number) =>
    process.stderr.write(`\rstep ${step + 1}/${steps}, loss ${loss.toFixed(5)}   `);
  const trained = await trainTrunk({ ...DEFAULT_TRAINING, progress });
  process.stderr.write("\n");
  console.table(trained.heldOut);
  writeFileSync(process.argv[2] ?? MODEL_FILE, modelFile(trained, DEFAULT_TRAINING));
}
