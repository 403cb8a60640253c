import { create } from "@bufbuild/protobuf";
import { Code, type ConnectError, createClient } from "@connectrpc/connect";
import { type IngestCounts, IngestService, StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { backoffMs } from "./backoff.ts";
import { BatchBuilder, MAX_BATCH_READINGS } from "./batch.ts";
import { type Batch, type Buffer, MemoryBuffer } from "./buffer.ts";
import { DiskBuffer } from "./disk-buffer.ts";
import { StreamRun } from "./stream.ts";
import { type Connection, connect } from "./transport.ts";
import type { Counts, DeviceBlock, DeviceClient, DeviceClientOptions, DeviceReading, Progress } from "./types.ts";

const MiB = 1024 * 1024;
/** On closing, how long what has not yet reached the buffer may wait for room in it. */
const CLOSE_MS = 1_000;

/**
 * A client that gets readings to the server, whatever happens to the connection: it batches, buffers within a bound, connects
 * again with growing pauses, and resends what was not settled, under the same epoch and sequence, so that each reading is stored
 * once. `send` waits while the buffer is full.
 */
export function createDeviceClient(options: DeviceClientOptions): DeviceClient {
  return new Client(options);
}

class Client implements DeviceClient {
  readonly #options: DeviceClientOptions;
  readonly #buffer: Buffer;
  readonly #builder: BatchBuilder;
  readonly #connection: Connection;
  readonly #opened: Promise<void>;
  readonly #running: Promise<void>;
  readonly #stop = new AbortController();
  /** Rises with every client of the producer, so that sequences can start at 1: the microsecond of its start. */
  #epoch = BigInt(Date.now()) * 1000n;
  #sequence = 0n;
  /** Sealed and not settled, oldest first. */
  #queue: Batch[] = [];
  #sealed = 0;
  #settled = 0;
  /** Sealing, one at a time, keeps the order of what was handed over. */
  #sealing: Promise<void> | undefined;
  #linger: NodeJS.Timeout | undefined;
  #flushes: { until: number; resolve(): void; reject(error: unknown): void }[] = [];
  #wake: () => void = () => {};
  #failure: Error | undefined;
  /** Why readings that were handed over are not in the buffer. */
  #lost: Error | undefined;
  /** Readings of an earlier run. */
  #left = 0;
  #durable = new WeakSet<Batch>();
  #totals = { taken: 0, buffered: 0, durable: 0, settled: 0 };
  #counts = { accepted: 0n, duplicate: 0n, conflicting: 0n, rejected: 0n, late: 0n };

  constructor(options: DeviceClientOptions) {
    const { producer, batchReadings = 1_000, bufferDir, maxBufferBytes } = options;
    if (!(producer?.length >= 1 && producer.length <= 100)) {
      throw new RangeError(`producer is ${JSON.stringify(producer)}, but must have 1 to 100 characters.`);
    }
    if (!Number.isInteger(batchReadings) || batchReadings < 1 || batchReadings > MAX_BATCH_READINGS) {
      throw new RangeError(
        `batchReadings is ${batchReadings}, but must be a whole number from 1 to ${MAX_BATCH_READINGS}.`,
      );
    }
    this.#options = options;
    this.#builder = new BatchBuilder(batchReadings);
    this.#buffer =
      bufferDir === undefined
        ? new MemoryBuffer(maxBufferBytes ?? 64 * MiB)
        : new DiskBuffer(bufferDir, maxBufferBytes ?? 256 * MiB, options.fsync ?? "never", options.onDamage);
    this.#connection = connect(options);
    this.#opened = this.#open();
    this.#opened.catch((error: Error) => this.#fail(error));
    this.#running = this.#opened.then(() => this.#run()).catch((error: Error) => this.#fail(error));
  }

  get progress(): Progress {
    return { ...this.#totals, counts: { ...this.#counts } };
  }

  async #open(): Promise<void> {
    for (const batch of await this.#buffer.open()) {
      this.#keep(batch);
      // What is left is sent under its own epoch; ours must be above it also where the clock went back.
      if (batch.epoch >= this.#epoch) this.#epoch = batch.epoch + 1n;
      this.#totals.taken += batch.count;
      this.#left += batch.count;
    }
  }

  async send(reading: DeviceReading): Promise<void> {
    while (this.#sealing) await this.#sealing;
    this.#check();
    if (!this.#builder.add(reading)) {
      await this.#seal();
      return this.send(reading);
    }
    this.#totals.taken++;
    return this.#added();
  }

  async sendBlock(block: DeviceBlock): Promise<void> {
    if (block.timesUs.length !== block.values.length) {
      throw new RangeError(`The block has ${block.timesUs.length} times and ${block.values.length} values.`);
    }
    for (let from = 0; from < block.values.length; ) {
      while (this.#sealing) await this.#sealing;
      this.#check();
      const taken = this.#builder.addBlock(block, from);
      this.#totals.taken += taken;
      from += taken;
      await this.#added();
    }
  }

  async buffered(): Promise<void> {
    const handed = this.#totals.taken - this.#left;
    await this.#opened;
    // No others are waited for: they may be without room, and what is in the buffer is kept also where the client is closed or fails.
    while (this.#totals.buffered < handed + this.#left) {
      if (this.#sealing === undefined && this.#builder.count === 0) this.#check();
      await (this.#sealing ?? this.#seal());
    }
  }

  async flush(): Promise<Counts> {
    await this.buffered();
    this.#check();
    const until = this.#sealed;
    if (this.#settled < until) {
      await new Promise<void>((resolve, reject) => this.#flushes.push({ until, resolve, reject }));
    }
    return this.progress.counts;
  }

  async close(): Promise<void> {
    if (!this.#stop.signal.aborted) {
      clearTimeout(this.#linger);
      // On disk, what was handed over is kept for the next run; in memory there is nothing to keep it for.
      if (this.#options.bufferDir) await within(CLOSE_MS, this.#sealAll());
      this.#stop.abort(new Error("The client is closed."));
      for (const each of this.#flushes.splice(0))
        each.reject(new Error("The client was closed before all was settled."));
      this.#wake();
    }
    await this.#buffer.close();
    await this.#running;
    this.#connection.close();
    if (this.#lost) throw this.#lost;
  }

  #check(): void {
    if (this.#failure) throw this.#failure;
    this.#stop.signal.throwIfAborted();
  }

  #added(): Promise<void> | undefined {
    if (this.#builder.isFull) return this.#seal();
    this.#linger ??= setTimeout(() => {
      this.#seal().catch((error: Error) => this.#fail(error));
    }, this.#options.lingerMs ?? 20);
    return undefined;
  }

  async #sealAll(): Promise<void> {
    while (this.#sealing) await this.#sealing;
    await this.#seal();
  }

  /** Hands what was gathered over to the buffer, which may have to wait for room. */
  #seal(): Promise<void> {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    if (this.#builder.count === 0) return this.#sealing ?? Promise.resolve();
    this.#sealing ??= this.#append().finally(() => {
      this.#sealing = undefined;
    });
    return this.#sealing;
  }

  async #append(): Promise<void> {
    const { readings, blocks, count } = this.#builder.take();
    await this.#opened.catch((error: Error) => {
      this.#lost = error;
      throw error;
    });
    this.#sequence++;
    const { producer } = this.#options;
    const request = create(StreamReadingsRequestSchema, {
      producer,
      epoch: this.#epoch,
      sequence: this.#sequence,
      readings,
      blocks,
    });
    try {
      this.#keep(await this.#buffer.append(request, count));
    } catch (error) {
      this.#fail(error as Error); // readings are gone: whoever waits for them has to hear of it, now or later
      throw error;
    }
    this.#wake();
  }

  #keep(batch: Batch): void {
    this.#queue.push(batch);
    this.#totals.buffered += batch.count;
    this.#sealed++;
  }

  /** One stream after another until the end. */
  async #run(): Promise<void> {
    const service = createClient(IngestService, this.#connection.transport);
    for (let attempt = 0; !this.#stop.signal.aborted; ) {
      if (this.#queue.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      const stream = new StreamRun(this.#queue, this.#buffer, this.#options, {
        settled: (count, counts) => this.#settle(count, counts),
        durable: (batches) => this.#saved(batches),
      });
      this.#wake = () => stream.wake();
      const error = await stream.run(service, this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      if (error && this.#isFinal(error)) return this.#fail(error);
      attempt = stream.progressed ? 0 : attempt + 1;
      // A stream that ended as asked, because the epoch changes, is followed by the next one at once.
      if (error) await this.#pause(error, attempt);
    }
  }

  /** What trying again cannot change: the server understood us and says no. A token from a function may be another next time. */
  #isFinal({ code }: ConnectError): boolean {
    if (code === Code.Unauthenticated || code === Code.PermissionDenied)
      return typeof this.#options.token !== "function";
    return code === Code.InvalidArgument || code === Code.Unimplemented;
  }

  #pause(error: ConnectError, attempt: number): Promise<void> {
    const retryInMs = Math.round(backoffMs(attempt, this.#options.maxBackoffMs ?? 5_000));
    this.#options.onConnection?.({ connected: false, reason: error.rawMessage, retryInMs });
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, retryInMs);
      signal.addEventListener("abort", done, { once: true });
    });
  }

  /** After a reconnection the server calls batches durable again; they count once. */
  #saved(batches: readonly Batch[]): void {
    for (const batch of batches) {
      if (this.#durable.has(batch)) continue;
      this.#durable.add(batch);
      this.#totals.durable += batch.count;
    }
  }

  #settle(batches: readonly Batch[], counts: IngestCounts | undefined): void {
    for (const batch of batches) {
      this.#totals.settled += batch.count;
      this.#buffer.release(batch);
    }
    this.#settled += batches.length;
    for (const name of Object.keys(this.#counts) as (keyof Counts)[]) this.#counts[name] += counts?.[name] ?? 0n;
    this.#options.onProgress?.(this.progress);
    const done = this.#flushes.filter(({ until }) => until <= this.#settled);
    this.#flushes = this.#flushes.filter(({ until }) => until > this.#settled);
    for (const each of done) each.resolve();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const each of this.#flushes.splice(0)) each.reject(this.#failure);
  }
}

function within(ms: number, work: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return Promise.race([work.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}
