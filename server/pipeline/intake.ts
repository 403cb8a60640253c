/** From an accepted batch to the log, and from the log's outcomes back to whoever waits for them. */
import type { Logger } from "pino";
import { TelltaleError } from "../errors.ts";
import type { Accepted } from "../ingest/accept.ts";
import type { Log } from "../log/log.ts";
import { encodeField, encodeRecord } from "../record/encode.ts";
import type { FragmentOutcome, RecordOutcome } from "./outcome.ts";

/** A record stays well below what a broker takes by default; a single larger fragment goes alone. */
const MAX_RECORD_BYTES = 768 * 1024;
/** Bytes waiting for the log in this process. Past it streams are no longer read and unary calls are refused. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

interface Waiting {
  readonly field: Uint8Array;
  readonly durable: { resolve(): void; reject(error: unknown): void };
  readonly settled: { resolve(outcome: FragmentOutcome): void; reject(error: unknown): void };
  /** Controls go alone: see `PartitionOwner`. */
  readonly alone: boolean;
  /** When it came, by the monotonic clock, milliseconds. */
  readonly since: number;
}

/** A batch on its way. */
export interface Submitted {
  /** Resolves when every part of it is in the log. */
  readonly durable: Promise<void>;
  /** Resolves when every part of it is scored and committed. */
  readonly settled: Promise<readonly FragmentOutcome[]>;
}

interface Lane {
  readonly waiting: Waiting[];
  appending: boolean;
  /** Parts that are in the log and not settled, by the offset of their record. */
  readonly unsettled: Map<number, readonly Waiting[]>;
  /** Outcomes that came before the append was known to have succeeded. */
  readonly early: Map<number, RecordOutcome>;
}

export class Intake {
  readonly #log: Log;
  readonly #nowUs: () => number;
  readonly #logger: Logger;
  readonly #lanes: Lane[];
  #waitingBytes = 0;
  #unsettledReadings = 0;
  readonly #maxUnsettledReadings: number;
  #onRoom: (() => void)[] = [];

  constructor(options: { log: Log; nowUs: () => number; logger: Logger; maxUnsettledReadings: number }) {
    this.#log = options.log;
    this.#nowUs = options.nowUs;
    this.#logger = options.logger;
    this.#maxUnsettledReadings = options.maxUnsettledReadings;
    this.#lanes = Array.from({ length: options.log.partitions }, () => ({
      waiting: [],
      appending: false,
      unsettled: new Map(),
      early: new Map(),
    }));
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }
  get unsettledReadings(): number {
    return this.#unsettledReadings;
  }
  get hasRoom(): boolean {
    return this.#waitingBytes < MAX_WAITING_BYTES && this.#unsettledReadings < this.#maxUnsettledReadings;
  }

  /** Resolves when more may be submitted; rejects with the signal's reason. */
  async room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom) {
      signal.throwIfAborted();
      await new Promise<void>((resolve, reject) => {
        const abort = () => reject(signal.reason);
        signal.addEventListener("abort", abort, { once: true });
        this.#onRoom.push(() => {
          signal.removeEventListener("abort", abort);
          resolve();
        });
      });
    }
  }

  /** Throws TelltaleError "exhausted" where there is no room and the caller cannot wait for it. */
  checkRoom(): void {
    if (this.hasRoom) return;
    throw new TelltaleError(
      "exhausted",
      "the server has more readings in hand than it can store at once: try again later",
      {
        retryAfterMs: 1000,
      },
    );
  }

  submit(accepted: Accepted): Submitted {
    const parts: { durable: Promise<void>; settled: Promise<FragmentOutcome> }[] = [];
    for (const [partition, { bytes, readings }] of accepted.fragments) {
      this.#unsettledReadings += readings;
      const part = this.#enqueue(partition, bytes, false);
      const done = () => {
        this.#unsettledReadings -= readings;
        this.#wake();
      };
      part.settled.then(done, done);
      parts.push(part);
    }
    const submitted = {
      durable: Promise.all(parts.map((p) => p.durable)).then(() => undefined),
      settled: Promise.all(parts.map((p) => p.settled)),
    };
    // Whoever waits for one of them hears of a failure; the other must not end the process.
    submitted.durable.catch(heardElsewhere);
    submitted.settled.catch(heardElsewhere);
    return submitted;
  }

  /** Logs a `Control` (binary form) and resolves when it is committed. */
  async control(partition: number, control: Uint8Array): Promise<void> {
    const part = this.#enqueue(partition, encodeField(5, control), true);
    part.durable.catch(heardElsewhere);
    await part.settled;
  }

  /** Logs that time has passed in the partition. Best effort: the next one says it as well. */
  tick(partition: number): void {
    this.caughtUp(partition).catch(heardElsewhere);
  }

  /** Resolves when everything that is in the partition's log by now is committed. */
  async caughtUp(partition: number): Promise<void> {
    const { durable, settled } = this.#enqueue(partition, encodeField(4, new Uint8Array()), true);
    durable.catch(heardElsewhere);
    await settled;
  }

  #enqueue(partition: number, field: Uint8Array, alone: boolean) {
    const durable = Promise.withResolvers<void>();
    const settled = Promise.withResolvers<FragmentOutcome>();
    const lane = this.#lanes[partition]!;
    lane.waiting.push({ field, durable, settled, alone, since: performance.now() });
    this.#waitingBytes += field.length;
    // What else arrives in this turn of the event loop goes along.
    if (!lane.appending) {
      lane.appending = true;
      setImmediate(() => void this.#append(partition, lane));
    }
    return { durable: durable.promise, settled: settled.promise };
  }

  /** One record after another while parts wait: what gathers during an append is the next record. */
  async #append(partition: number, lane: Lane): Promise<void> {
    while (lane.waiting.length > 0) {
      const parts = takeRecord(lane.waiting);
      const record = encodeRecord(
        this.#nowUs(),
        parts.map((p) => p.field),
      );
      try {
        const offset = await this.#log.append(partition, record);
        for (const p of parts) p.durable.resolve();
        const early = lane.early.get(offset);
        if (early === undefined) lane.unsettled.set(offset, parts);
        else {
          lane.early.delete(offset);
          settle(parts, early);
        }
      } catch (error) {
        this.#logger.warn({ err: error, partition }, "log did not take a record");
        for (const p of parts) {
          p.durable.reject(error);
          p.settled.reject(error);
        }
      }
      for (const p of parts) this.#waitingBytes -= p.field.length;
      this.#wake();
    }
    lane.appending = false;
  }

  /** A commit tells what became of records, also of those that other processes appended. */
  settled(partition: number, outcomes: readonly RecordOutcome[]): void {
    const lane = this.#lanes[partition]!;
    for (const outcome of outcomes) {
      const parts = lane.unsettled.get(outcome.offset);
      if (parts !== undefined) {
        lane.unsettled.delete(outcome.offset);
        settle(parts, outcome);
      } else if (lane.appending) {
        lane.early.set(outcome.offset, outcome);
        // Only the record under way can be meant; others are not ours.
        for (const old of lane.early.keys()) {
          if (lane.early.size <= MAX_EARLY) break;
          lane.early.delete(old);
        }
      }
    }
  }

  /** Offsets of records that have waited for their outcome for longer than `ms`, by partition, at most `limit` each. */
  overdue(ms: number, limit: number): Map<number, number[]> {
    const before = performance.now() - ms;
    const found = new Map<number, number[]>();
    this.#lanes.forEach((lane, partition) => {
      const offsets: number[] = [];
      for (const [offset, parts] of lane.unsettled) {
        if (offsets.length >= limit || parts[0]!.since > before) break;
        offsets.push(offset);
      }
      if (offsets.length > 0) found.set(partition, offsets);
    });
    return found;
  }

  #wake(): void {
    if (!this.hasRoom || this.#onRoom.length === 0) return;
    const waiting = this.#onRoom;
    this.#onRoom = [];
    for (const resolve of waiting) resolve();
  }
}

/** Outcomes kept for an append whose answer is still on its way: one would do, the bound is for other processes' records. */
const MAX_EARLY = 1024;

function takeRecord(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  let n = 0;
  while (n < waiting.length) {
    const next = waiting[n]!;
    if (n > 0 && (next.alone || bytes + next.field.length > MAX_RECORD_BYTES)) break;
    bytes += next.field.length;
    n++;
    if (next.alone) break;
  }
  return waiting.splice(0, n);
}

function settle(parts: readonly Waiting[], outcome: RecordOutcome): void {
  const none: FragmentOutcome = { counts: [0, 0, 0, 0], conflicts: [], stored: [] };
  parts.forEach((p, i) => {
    p.settled.resolve(outcome.fragments[i] ?? none);
  });
}

function heardElsewhere(error: unknown): void {
  if (!(error instanceof Error)) throw error;
}
