import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { type StreamReadingsRequest, StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";

/** A batch on its way: known by its producer's epoch and sequence, kept until the server has settled it. */
export interface Batch {
  readonly epoch: bigint;
  readonly sequence: bigint;
  /** Readings in it. */
  readonly count: number;
}

/** Keeps batches, in order, until they are settled. Its owner calls `append` one at a time. */
export interface Buffer {
  /** What an earlier process left, oldest first. Called once, before anything else. */
  open(): Promise<readonly Batch[]>;
  /** Keeps the batch; waits while the buffer is full. Rejects after `close`. */
  append(request: StreamReadingsRequest, count: number): Promise<Batch>;
  load(batch: Batch): Promise<StreamReadingsRequest>;
  /** The batch, which is the oldest one kept, is settled. */
  release(batch: Batch): void;
  close(): Promise<void>;
}

/** Encoded: as a message it takes several times as much, and the bound is on what is kept. */
interface MemoryBatch extends Batch {
  readonly bytes: Uint8Array;
}

/** Lives and dies with the process. */
export class MemoryBuffer implements Buffer {
  readonly #room: Room;

  constructor(maxBytes: number) {
    this.#room = new Room(maxBytes);
  }

  async open(): Promise<readonly Batch[]> {
    return [];
  }

  async append(request: StreamReadingsRequest, count: number): Promise<Batch> {
    const bytes = toBinary(StreamReadingsRequestSchema, request);
    await this.#room.take(bytes.length);
    const batch: MemoryBatch = { epoch: request.epoch, sequence: request.sequence, count, bytes };
    return batch;
  }

  async load(batch: Batch): Promise<StreamReadingsRequest> {
    return fromBinary(StreamReadingsRequestSchema, (batch as MemoryBatch).bytes);
  }

  release(batch: Batch): void {
    this.#room.give((batch as MemoryBatch).bytes.length);
  }

  async close(): Promise<void> {
    this.#room.close();
  }
}

/** A bound on bytes that its one user waits for. */
export class Room {
  readonly #most: number;
  #used = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(most: number) {
    this.#most = most;
  }

  /** Waits until so many bytes are free; something larger than everything gets in when nothing else is there. */
  async take(bytes: number): Promise<void> {
    while (!this.#closed && this.#used > 0 && this.#used + bytes > this.#most) await this.freed();
    if (this.#closed) throw new Error("The client is closed.");
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    this.#wake?.();
  }

  /** Resolves when bytes were given back, or at the end. */
  freed(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  get isEmpty(): boolean {
    return this.#used === 0;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }
}
