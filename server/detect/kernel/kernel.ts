import { readFileSync } from "node:fs";
import { FEATURES } from "./features.ts";
import { MAX_UNITS } from "./fields.ts";
import { align, fieldOf, offsetOf, type Structure } from "./layout.ts";
import type { TrunkModel } from "./trunk-model.ts";

/** Functions of the kernel (assembly/index.ts). Addresses are bytes in its memory. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  columnsAt(): number;
  modelAt(): number;
  votesAt(): number;
  freeAt(): number;
  setConfidence(confidence: number): void;
  coldStartFactor(readings: number): number;
  score(count: number): void;
  observe(count: number): void;
  forecast(count: number): void;
  judge(count: number): void;
  pack(sensor: number, offsets: number, words: number, to: number): void;
  unpack(sensor: number, offsets: number, words: number, from: number): void;
  migrateFrom6(sensor: number): void;
  migrateFrom7(sensor: number): void;
  migrateFrom8(sensor: number): void;
  migrateFrom9(sensor: number): void;
  migrateFrom10(sensor: number): void;
  migrateFrom11(sensor: number): void;
  arrived(sensor: number, nowUs: number): number;
  forgetArrival(sensor: number): void;
  followSeries(sensor: number, value: number): void;
  moveTo(sensor: number, value: number): number;
  halfHourOf(time: number): number;
  weekdayOf(time: number): number;
  seasonAt(sensor: number, time: number): number;
  seasonalAt(sensor: number, time: number): number;
  updateSeason(sensor: number, halfHour: number, weekday: number, x: number, before: number): void;
  roughnessAt(sensor: number, halfHour: number): number;
  updateErrorProfile(sensor: number, halfHour: number, error: number): void;
}

/** Compiled once for the thread. */
const compiled = new WebAssembly.Module(readFileSync(new URL("./kernel.wasm", import.meta.url)));

const PAGE_BYTES = 65_536;
const MAX_BYTES = 65_536 * PAGE_BYTES;
/**
 * Memory grows to so many times what there is. What is not written to takes none of the machine's; but each time it grows the collector of
 * garbage counts all of it as new, and begins anew: at 1.125 times the heap of a platform that recovers was marked ten times a second. Who
 * knows how many sensors are to come reserves room for them.
 */
const GROWTH = 2;

/** All memory, by type of cell. Recreated when the memory grows: nobody keeps them over an `allocate`. */
export interface Views {
  readonly f64: Float64Array;
  readonly f32: Float32Array;
  readonly u32: Uint32Array;
  readonly u8: Uint8Array;
  readonly columns: Columns;
}

/** What each detector had to say of a reading. Raw scores, by the sensor's own damping. */
export interface Votes {
  readonly coldStart: boolean;
  readonly states: boolean;
  readonly muted: boolean;
  readonly wakes: boolean;
  readonly threshold: number;
  readonly total: number;
  readonly coldStartScore: number;
  readonly outside: number;
  /** By feature. */
  readonly score: Float64Array;
  readonly weight: Float64Array;
}

/** Columns of the rows that a call takes. */
export interface Columns {
  readonly sensor: Uint32Array;
  readonly time: Float64Array;
  readonly value: Float64Array;
  readonly place: Float64Array;
  readonly step: Float64Array;
  readonly forecastMove: Float64Array;
  readonly taken: Uint8Array;
  readonly expected: Float32Array;
  readonly band: Float32Array;
  readonly signal: Float32Array;
  readonly confidence: Uint16Array;
  readonly score: Uint16Array;
  readonly anomaly: Uint8Array;
  readonly reason: Uint8Array;
}

/** An instance of the scoring kernel: its functions, its memory, and the model in it. */
export class Kernel {
  readonly call: Exports;
  #views: Views;
  #free: number;

  constructor(model: TrunkModel) {
    this.call = new WebAssembly.Instance(compiled).exports as unknown as Exports;
    this.#free = this.call.freeAt();
    this.#views = this.#view();
    this.#load(model);
  }

  get views(): Views {
    return this.#views;
  }

  /** Room for so many bytes, all zero. Never given back: a detector goes as a whole. Throws a RangeError where 4 GiB are full. */
  allocate(bytes: number, alignment: number): number {
    const at = align(this.#free, alignment);
    this.#free = at + bytes;
    const has = this.#bytes;
    if (this.#free > has) this.#growAhead(Math.max(this.#free, has * GROWTH));
    if (this.#free > this.#bytes) this.#grow(this.#free);
    return at;
  }

  /** So many bytes will be allocated: memory grows once for all of them. */
  reserve(bytes: number): void {
    this.#growAhead(this.#free + bytes);
  }

  get #bytes(): number {
    return this.call.memory.buffer.byteLength;
  }

  /** A system that promises no more memory than it has may refuse what is not needed yet. */
  #growAhead(bytes: number): void {
    try {
      this.#grow(Math.min(bytes, MAX_BYTES));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  #grow(bytes: number): void {
    const pages = Math.ceil((bytes - this.#bytes) / PAGE_BYTES);
    if (pages <= 0) return;
    this.call.memory.grow(pages);
    this.#views = this.#view();
  }

  /** Writes a number of a structure at an address. */
  put(structure: Structure, address: number, name: string, value: number): void {
    const { type, at } = fieldOf(structure, name);
    if (type === "u32") this.#views.u32[(address + at) >>> 2] = value;
    else this.#views.f64[(address + at) >>> 3] = value;
  }

  /** Sets the confidence from which a reading is anomalous, and which features may speak. */
  setup(confidence: number, voices: readonly boolean[]): void {
    this.call.setConfidence(confidence);
    this.#views.f64.set(voices.map(Number), (this.call.modelAt() + offsetOf("model", "voice")) >>> 3);
  }

  /** The votes on the next reading that is judged are to be kept. */
  ask(): void {
    this.put("votes", this.call.votesAt(), "asked", 1);
  }

  /** The votes asked for; undefined where no reading was judged since. */
  votes(): Votes | undefined {
    const at = this.call.votesAt();
    const { f64, u32 } = this.#views;
    const asked = u32[(at + offsetOf("votes", "asked")) >>> 2] === 1;
    this.put("votes", at, "asked", 0);
    if (asked) return undefined;
    const place = (name: string) => (at + offsetOf("votes", name)) >>> 3;
    const features = (name: string) => f64.slice(place(name), place(name) + FEATURES.length);
    return {
      coldStart: u32[(at + offsetOf("votes", "coldStart")) >>> 2] === 1,
      states: u32[(at + offsetOf("votes", "states")) >>> 2] === 1,
      muted: u32[(at + offsetOf("votes", "muted")) >>> 2] === 1,
      wakes: u32[(at + offsetOf("votes", "wakes")) >>> 2] === 1,
      threshold: f64[place("threshold")]!,
      total: f64[place("total")]!,
      coldStartScore: f64[place("coldStartScore")]!,
      outside: f64[place("outside")]!,
      score: features("score"),
      weight: features("weight"),
    };
  }

  #load(model: TrunkModel): void {
    const at = this.call.modelAt();
    const { f64 } = this.#views;
    const { units } = model;
    this.put("model", at, "units", units);
    this.put("model", at, "constant", model.head[units]!);
    f64.set(model.head.slice(0, units), (at + offsetOf("model", "head")) >>> 3);
    f64.set(pairedWeights(model), (at + offsetOf("model", "trunk")) >>> 3);
  }

  #view(): Views {
    const { buffer } = this.call.memory;
    const base = this.call.columnsAt();
    const place = (name: string) => {
      const { at, count } = fieldOf("columns", name);
      return [buffer, base + at, count] as const;
    };
    return {
      f64: new Float64Array(buffer),
      f32: new Float32Array(buffer),
      u32: new Uint32Array(buffer),
      u8: new Uint8Array(buffer),
      columns: {
        sensor: new Uint32Array(...place("sensor")),
        time: new Float64Array(...place("time")),
        value: new Float64Array(...place("value")),
        place: new Float64Array(...place("place")),
        step: new Float64Array(...place("step")),
        forecastMove: new Float64Array(...place("forecastMove")),
        taken: new Uint8Array(...place("taken")),
        expected: new Float32Array(...place("expected")),
        band: new Float32Array(...place("band")),
        signal: new Float32Array(...place("signal")),
        confidence: new Uint16Array(...place("confidence")),
        score: new Uint16Array(...place("score")),
        anomaly: new Uint8Array(...place("anomaly")),
        reason: new Uint8Array(...place("reason")),
      },
    };
  }
}

/** Weights as the trunk reads them: for each two units rows of bias, inputs and hidden values, of four gates, of both units. */
function pairedWeights({ units, kernel, bias }: TrunkModel): number[] {
  const rows = kernel.length / (4 * units);
  const weights: number[] = [];
  for (let first = 0; first < Math.min(units, MAX_UNITS); first += 2) {
    for (let row = -1; row < rows; row++) {
      for (let gate = 0; gate < 4; gate++) {
        for (const unit of [first, first + 1]) {
          const column = gate * units + unit;
          weights.push(unit >= units ? 0 : row < 0 ? bias[column]! : kernel[row * 4 * units + column]!);
        }
      }
    }
  }
  return weights;
}
