import type { Part } from "./judge.ts";
import type { TypePrior } from "./young.ts";

/**
 * The recurrent trunk of the forecaster: one LSTM cell with trained weights, shared by all sensors, each with a state of its own.
 * From where a value lies and how it moved, it foretells the next move; a readout per sensor (readout.ts) adapts online.
 *
 * Runtimes of the trunk stand behind `TrunkRuntime`. The one here is the pinned kernel: plain double arithmetic in a fixed
 * order and a rational tanh, so that its bits depend on nothing but the weights. TensorFlow.js runtimes are in `scorer/`.
 */
export const TRUNK_INPUTS = 2;
/** State is kept in this many cells whatever the model: the largest number of units a model may have. */
export const MAX_UNITS = 16;

/** Weights as in `ml/model/forecaster.json`. Gates in the order input, forget, cell, output (as Keras). */
export interface TrunkModel {
  /** Part of the model version of every score. */
  readonly name: string;
  readonly units: number;
  /** (TRUNK_INPUTS + units) rows of 4·units columns. */
  readonly kernel: readonly number[];
  /** 4·units. */
  readonly bias: readonly number[];
  /** units, and one more for the constant. */
  readonly head: readonly number[];
  /** What is known of sensor types before a sensor has spoken; "" for types that are not named. */
  readonly priors?: Readonly<Record<string, TypePrior>>;
  /** Detectors of the ensemble that speak. Default: all. */
  readonly parts?: readonly Part[];
}

export interface TrunkRuntime {
  /** "js", "tfjs-wasm" or "tfjs-node": part of the model version. */
  readonly runtime: string;
  readonly model: TrunkModel;
  /**
   * One step for `rows` sensors: `input` holds TRUNK_INPUTS numbers a row, `state` 2·units (h, then c) and is overwritten,
   * `output` gets the foretold move of each row. The same row gives the same bits in any batch.
   */
  step(rows: number, input: Float32Array, state: Float32Array, output: Float32Array): void;
}

export class JsTrunk implements TrunkRuntime {
  readonly runtime = "js";
  readonly model: TrunkModel;
  readonly #units: number;
  /** For each unit, its four gates: bias, inputs, recurrent weights, one after another. */
  readonly #weights: Float64Array;
  readonly #head: Float64Array;
  readonly #before = new Float64Array(MAX_UNITS);

  constructor(model: TrunkModel) {
    this.model = model;
    const units = model.units;
    this.#units = units;
    this.#head = Float64Array.from(model.head);
    const rows = TRUNK_INPUTS + units;
    const weights: number[] = [];
    for (let u = 0; u < units; u++) {
      for (let row = -1; row < rows; row++) {
        for (let gate = 0; gate < 4; gate++) {
          const column = gate * units + u;
          weights.push(row < 0 ? model.bias[column]! : model.kernel[row * 4 * units + column]!);
        }
      }
    }
    this.#weights = Float64Array.from(weights);
  }

  step(rows: number, input: Float32Array, state: Float32Array, output: Float32Array): void {
    for (let i = 0; i < rows; i++) {
      output[i] = this.stepOne(input[i * TRUNK_INPUTS]!, input[i * TRUNK_INPUTS + 1]!, state, i * 2 * this.#units);
    }
  }

  /** One step of the sensor whose state (h, then c) begins at `s`; returns the foretold move. */
  stepOne(a: number, b: number, state: Float32Array, s: number): number {
    const units = this.#units;
    const w = this.#weights;
    const h = this.#before;
    const head = this.#head;
    for (let u = 0; u < units; u++) h[u] = state[s + u]!;
    let at = 0;
    let sum = head[units]!;
    for (let u = 0; u < units; u++) {
      let i = w[at]! + a * w[at + 4]! + b * w[at + 8]!;
      let f = w[at + 1]! + a * w[at + 5]! + b * w[at + 9]!;
      let g = w[at + 2]! + a * w[at + 6]! + b * w[at + 10]!;
      let o = w[at + 3]! + a * w[at + 7]! + b * w[at + 11]!;
      at += 12;
      for (let v = 0; v < units; v++, at += 4) {
        const hv = h[v]!;
        i += hv * w[at]!;
        f += hv * w[at + 1]!;
        g += hv * w[at + 2]!;
        o += hv * w[at + 3]!;
      }
      const c = Math.fround(sigmoid(f) * state[s + units + u]! + sigmoid(i) * tanh(g));
      const out = Math.fround(sigmoid(o) * tanh(c));
      state[s + units + u] = c;
      state[s + u] = out;
      sum += head[u]! * out;
    }
    return sum;
  }
}

/** Rational approximation of tanh, absolute error below 5e-7 (coefficients of Eigen's single-precision `ptanh`). */
export function tanh(x: number): number {
  const c = Math.max(-7.9, Math.min(7.9, x));
  const q = c * c;
  const p =
    c *
    (4.89352455891786e-3 +
      q *
        (6.37261928875436e-4 +
          q *
            (1.48572235717979e-5 +
              q *
                (5.12229709037114e-8 +
                  q * (-8.60467152213735e-11 + q * (2.00018790482477e-13 + q * -2.76076847742355e-16))))));
  const r = 4.89352518554385e-3 + q * (2.268434632439e-3 + q * (1.18534705686654e-4 + q * 1.19825839466702e-6));
  return p / r;
}

function sigmoid(x: number): number {
  return 0.5 + 0.5 * tanh(0.5 * x);
}
