import { Kernel } from "./kernel.ts";
import { sensorLayout } from "./layout.ts";

/** A model of one unit that is never asked: the kernel takes no series without one. */
const NO_MODEL = { name: "none", units: 1, kernel: new Array<number>(12).fill(0), bias: [0, 0, 0, 0], head: [0, 0] };

/** Follows a series through the kernel's own location and spread: what the trunk is trained on is what it sees live. */
export class SeriesFollower {
  readonly #kernel = new Kernel(NO_MODEL);
  readonly #bytes = sensorLayout(NO_MODEL.units).bytes;
  readonly #sensor = this.#kernel.allocate(this.#bytes, 64);

  /** Begins another series. */
  restart(): void {
    this.#kernel.views.u8.fill(0, this.#sensor, this.#sensor + this.#bytes);
  }

  /** Takes the next value in; returns the trunk's inputs: where it lies and how it moved. */
  take(value: number): { place: number; step: number } {
    this.#kernel.call.followSeries(this.#sensor, value);
    const { place, step } = this.#kernel.views.columns;
    return { place: place[0]!, step: step[0]! };
  }

  /** The move from the value taken last to another, as the trunk is to forecast it. */
  moveTo(value: number): number {
    return this.#kernel.call.moveTo(this.#sensor, value);
  }
}
