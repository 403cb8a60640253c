import util from "node:util";
import type * as Tf from "@tensorflow/tfjs";
import { StartupError } from "../../errors.ts";
import { TRUNK_INPUTS, type TrunkModel } from "../kernel/trunk-model.ts";
import type { TrunkRuntime } from "../trunk.ts";

/**
 * The trunk in TensorFlow.js, by its wasm backend or its native one (not a dependency, used where somebody
 * installed it: docs/decisions/detector-runtime.md). The sensors'
 * states stay in host memory and are uploaded with each call. Kernels run when called, so a step is synchronous.
 */
export class TfjsTrunk implements TrunkRuntime {
  readonly runtime: string;
  readonly model: TrunkModel;
  readonly #tf: typeof Tf;
  readonly #kernel: Tf.Tensor2D;
  readonly #bias: Tf.Tensor1D;
  readonly #head: Tf.Tensor2D;
  readonly #constant: number;

  private constructor(runtime: string, model: TrunkModel, tf: typeof Tf) {
    const units = model.units;
    this.runtime = runtime;
    this.model = model;
    this.#tf = tf;
    this.#kernel = tf.tensor2d(Float32Array.from(model.kernel), [TRUNK_INPUTS + units, 4 * units]);
    this.#bias = tf.tensor1d(Float32Array.from(model.bias));
    this.#head = tf.tensor2d(Float32Array.from(model.head.slice(0, units)), [units, 1]);
    this.#constant = model.head[units]!;
  }

  /** Throws StartupError where the runtime does not load on this machine. */
  static async load(runtime: "tfjs-wasm" | "tfjs-node", model: TrunkModel): Promise<TfjsTrunk> {
    try {
      const tf = runtime === "tfjs-node" ? await importNode() : await importWasm();
      return new TfjsTrunk(runtime, model, tf);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.split("\n")[0] : String(cause);
      throw new StartupError(`SCORER_RUNTIME is "${runtime}", which does not load here (${why}); use auto`, { cause });
    }
  }

  step(rows: number, input: Float32Array, state: Float32Array, output: Float32Array): void {
    if (rows === 0) return;
    const tf = this.#tf;
    const units = this.model.units;
    const [next, moves] = tf.tidy(() => {
      const before = tf.tensor2d(state.subarray(0, rows * 2 * units), [rows, 2 * units]);
      const x = tf.concat(
        [tf.tensor2d(input.subarray(0, rows * TRUNK_INPUTS), [rows, TRUNK_INPUTS]), slice(tf, before, 0, units)],
        1,
      );
      const gates = tf.add(tf.matMul(x, this.#kernel), this.#bias) as Tf.Tensor2D;
      const gate = (k: number) => slice(tf, gates, k * units, units);
      const kept = tf.mul(tf.sigmoid(gate(1)), slice(tf, before, units, units));
      const c = tf.add(kept, tf.mul(tf.sigmoid(gate(0)), tf.tanh(gate(2)))) as Tf.Tensor2D;
      const h = tf.mul(tf.sigmoid(gate(3)), tf.tanh(c)) as Tf.Tensor2D;
      return [tf.concat([h, c], 1).dataSync(), tf.matMul(h, this.#head).dataSync()] as const;
    });
    state.set(next);
    for (let i = 0; i < rows; i++) output[i] = moves[i]! + this.#constant;
  }
}

function slice(tf: typeof Tf, x: Tf.Tensor2D, from: number, columns: number): Tf.Tensor2D {
  return tf.slice(x, [0, from], [x.shape[0], columns]);
}

async function importWasm(): Promise<typeof Tf> {
  const tf = await import("@tensorflow/tfjs");
  await import("@tensorflow/tfjs-backend-wasm");
  if (!(await tf.setBackend("wasm"))) throw new Error("the wasm backend does not start");
  await tf.ready();
  return tf;
}

async function importNode(): Promise<typeof Tf> {
  // tfjs-node 4.22 calls two helpers that Node 23 dropped from util.
  const old = util as unknown as Record<string, (x: unknown) => boolean>;
  old.isNullOrUndefined ??= (x) => x === null || x === undefined;
  old.isArray ??= Array.isArray;
  const name = "@tensorflow/tfjs-node";
  const tf: typeof Tf = await import(name);
  await tf.ready();
  return tf;
}
