import { Kernel } from "./kernel/kernel.ts";
import { sensorLayout, TRUNK_AT } from "./kernel/layout.ts";
import { TRUNK_INPUTS, type TrunkModel } from "./kernel/trunk-model.ts";

/**
 * The recurrent trunk of the forecaster: one LSTM cell with trained weights, shared by all sensors, each with a state of its own.
 * From where a value lies and how it moved, it forecasts the next move; a readout per sensor adapts online.
 *
 * Runtimes of the trunk implement `TrunkRuntime`. The one here is the scoring kernel's own (kernel/assembly/trunk.ts), whose bits
 * depend on nothing but the weights. TensorFlow.js runtimes are in `model/`.
 */
export interface TrunkRuntime {
  /** "js", "tfjs-wasm" or "tfjs-node": part of the model version. */
  readonly runtime: string;
  readonly model: TrunkModel;
  /**
   * One step for `rows` sensors: `input` holds TRUNK_INPUTS numbers a row, `state` 2·units (h, then c) and is overwritten,
   * `output` gets the forecast move of each row. The same row gives the same bits in any batch.
   */
  step(rows: number, input: Float32Array, state: Float32Array, output: Float32Array): void;
}

/** The kernel's trunk. Its name in model versions is older than the kernel, and its bits are the same. */
export class KernelTrunk implements TrunkRuntime {
  readonly runtime = "js";
  readonly model: TrunkModel;
  #lone: LoneTrunk | undefined;

  constructor(model: TrunkModel) {
    this.model = model;
  }

  /** For what asks for the trunk alone: a detector has it within the kernel's own path. */
  step(rows: number, input: Float32Array, state: Float32Array, output: Float32Array): void {
    this.#lone ??= new LoneTrunk(this.model);
    for (let i = 0; i < rows; i++) this.#lone.step(i, input, state, output);
  }
}

/** The kernel with one sensor, of whose state only the trunk's is used. */
class LoneTrunk {
  readonly #kernel: Kernel;
  readonly #units: number;
  /** Where the sensor's hidden values and cell values begin among all single-precision cells. */
  readonly #hidden: number;
  readonly #cells: number;

  constructor(model: TrunkModel) {
    this.#kernel = new Kernel(model);
    this.#units = model.units;
    const sensor = this.#kernel.allocate(sensorLayout(model.units).bytes, 64);
    this.#hidden = (sensor + TRUNK_AT) >>> 2;
    this.#cells = this.#hidden + model.units + (model.units & 1);
    this.#kernel.views.columns.sensor[0] = sensor;
  }

  step(row: number, input: Float32Array, state: Float32Array, output: Float32Array): void {
    const { f32, columns } = this.#kernel.views;
    const units = this.#units;
    const at = row * 2 * units;
    f32.set(state.subarray(at, at + units), this.#hidden);
    f32.set(state.subarray(at + units, at + 2 * units), this.#cells);
    columns.place[0] = input[row * TRUNK_INPUTS]!;
    columns.step[0] = input[row * TRUNK_INPUTS + 1]!;
    this.#kernel.call.forecast(1);
    output[row] = columns.forecastMove[0]!;
    state.set(f32.subarray(this.#hidden, this.#hidden + units), at);
    state.set(f32.subarray(this.#cells, this.#cells + units), at + units);
  }
}
