/**
 * State of many sensors in chunks of flat memory: no object per sensor, nothing for the garbage collector to walk, and a
 * snapshot is a copy of bytes. Each sensor has `doubles` Float64 cells and `floats` Float32 cells.
 */
export interface Chunk {
  readonly bytes: ArrayBuffer;
  readonly f64: Float64Array;
  readonly f32: Float32Array;
}

/** 64 sensors of 4 KB of the detector's state beside this: a chunk of a quarter of a megabyte is copied in tens of microseconds. */
export const CHUNK_SHIFT = 6;
export const CHUNK_SENSORS = 1 << CHUNK_SHIFT;
export const CHUNK_MASK = CHUNK_SENSORS - 1;

export class Memory {
  readonly chunks: Chunk[] = [];
  readonly doubles: number;
  readonly floats: number;
  sensors = 0;

  constructor(doubles: number, floats: number) {
    this.doubles = doubles;
    this.floats = floats + (floats & 1);
  }

  get bytesPerSensor(): number {
    return this.doubles * 8 + this.floats * 4;
  }

  /** Takes a sensor in with all cells zero; returns its slot. */
  add(): number {
    const slot = this.sensors++;
    if (slot >> CHUNK_SHIFT === this.chunks.length) this.chunks.push(this.#chunk());
    return slot;
  }

  save(chunk: number): Uint8Array {
    return new Uint8Array(this.chunks[chunk]!.bytes.slice(0));
  }

  /** Restores a chunk that holds `sensors` sensors. */
  load(chunk: number, bytes: Uint8Array, sensors: number): void {
    while (this.chunks.length <= chunk) this.chunks.push(this.#chunk());
    const target = new Uint8Array(this.chunks[chunk]!.bytes);
    if (bytes.byteLength !== target.byteLength) {
      throw new RangeError(`chunk ${chunk} has ${bytes.byteLength} bytes of state, wanted ${target.byteLength}`);
    }
    target.set(bytes);
    this.sensors = Math.max(this.sensors, chunk * CHUNK_SENSORS + sensors);
  }

  #chunk(): Chunk {
    const bytes = new ArrayBuffer(CHUNK_SENSORS * this.bytesPerSensor);
    return {
      bytes,
      f64: new Float64Array(bytes, 0, CHUNK_SENSORS * this.doubles),
      f32: new Float32Array(bytes, CHUNK_SENSORS * this.doubles * 8, CHUNK_SENSORS * this.floats),
    };
  }
}
