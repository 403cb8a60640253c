/** The scoring threads, and the log's consumer in front of them: a partition is always on the same thread. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { StartupError } from "../errors.ts";
import type { Log, LogConsumer, LogEntry, LogSubscription } from "../log/log.ts";
import type { CommitNotice, FromScorer, Interest, ScorerData, ToScorer } from "./messages.ts";
import type { RecoveryKind } from "./recover.ts";

/** Pause before a partition is opened again after an unexpected failure, so that a lasting one does not spin. */
const REOPEN_AFTER_MS = 500;
/**
 * A thread's young objects, three semi-spaces of 8 MiB. With more of them buffers, which are kept outside, are found dead only by full
 * collections: five a second instead of one.
 */
const YOUNG_MIB = 24;

export interface PoolOptions {
  readonly threads: number;
  readonly data: ScorerData;
  readonly log: Log;
  readonly logger: Logger;
  readonly onCommitted: (notice: CommitNotice) => void;
  /** The partition's state is being brought up to the store's offset. */
  readonly onOpened: (partition: number, recovery: RecoveryKind) => void;
  /** The partition could not go on; it is opened again. */
  readonly onFailed: (partition: number, why: string) => void;
  /** A commit was refused: another process owns the partition. */
  readonly onFenced: (partition: number) => void;
  /** The partition has another owner. */
  readonly onReleased: (partition: number) => void;
  /** The database does not take what a thread gives it, which tries again. */
  readonly onUnavailable: (error: Error & { code: string }) => void;
  /** A thread has died: the process cannot go on. */
  readonly onFatal: (error: Error) => void;
}

interface Pending {
  resolve(value: number): void;
  reject(error: Error): void;
}

export class ScorerPool {
  readonly #o: PoolOptions;
  readonly #workers: Worker[] = [];
  readonly #pending = new Map<number, Pending>();
  #subscription: LogSubscription | undefined;
  #started = false;
  #stopping = false;
  /** Partitions that this process owns now. */
  readonly owned = new Set<number>();
  modelVersion = "";

  constructor(options: PoolOptions) {
    this.#o = options;
  }

  /** Starts the threads. */
  async start(): Promise<void> {
    const { threads, data } = this.#o;
    await Promise.all(
      Array.from({ length: threads }, async (_, i) => {
        const worker = new Worker(new URL("./worker.ts", import.meta.url), {
          workerData: data,
          name: `scorer-${i}`,
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
        });
        this.#workers[i] = worker;
        const ready = new Promise<void>((resolve, reject) => {
          worker.on("message", (m: FromScorer) => {
            if (m.kind === "ready") {
              this.modelVersion = m.modelVersion;
              resolve();
            } else if (m.kind === "refused") reject(new StartupError(m.message));
            else if (m.kind === "stopped") void worker.terminate();
            else this.#hear(m);
          });
          worker.on("error", (error) => {
            reject(error);
            if (this.#started) this.#o.onFatal(error as Error);
          });
          worker.on("exit", (code) => {
            const error = new Error(`scoring thread ${i} ended with code ${code}`);
            reject(error);
            if (this.#started && !this.#stopping) this.#o.onFatal(error);
          });
        });
        await ready;
      }),
    );
    this.#started = true;
  }

  /** Begins to take records. Whatever else keeps the process busy while it starts should be done by then: see `KafkaConsumption`. */
  async consume(): Promise<void> {
    this.#subscription = await this.#o.log.consume(this.#consumer());
  }

  /** Sends the threads which readings somebody is watching. */
  setInterest(interest: Interest | undefined): void {
    for (const w of this.#workers) w.postMessage({ kind: "interest", interest } satisfies ToScorer);
  }

  /** Tells the threads what sensors are called, by their keys. */
  setNames(names: ReadonlyMap<string, string>): void {
    for (const w of this.#workers) w.postMessage({ kind: "names", names } satisfies ToScorer);
  }

  async stop(): Promise<void> {
    await this.#subscription?.close();
    this.#stopping = true;
    await Promise.all(
      this.#workers.map(async (w) => {
        const exited = once(w, "exit");
        w.postMessage({ kind: "stop" } satisfies ToScorer);
        await exited;
      }),
    );
  }

  #consumer(): LogConsumer {
    return {
      assigned: async (partition, oldest) => {
        const from = await this.#ask(partition, { kind: "open", partition, oldest });
        this.owned.add(partition);
        return from;
      },
      records: async (partition, entries) => {
        await this.#ask(partition, { kind: "records", partition, entries: entries as LogEntry[] });
      },
      revoked: async (partition) => {
        await this.#ask(partition, { kind: "close", partition });
        this.owned.delete(partition);
        this.#o.onReleased(partition);
      },
    };
  }

  #ask(partition: number, message: ToScorer): Promise<number> {
    const worker = this.#workers[partition % this.#workers.length]!;
    return new Promise((resolve, reject) => {
      this.#pending.set(partition, { resolve, reject });
      worker.postMessage(message);
    });
  }

  #hear(m: Exclude<FromScorer, { kind: "ready" | "refused" | "stopped" }>): void {
    if (m.kind === "unavailable") {
      this.#o.onUnavailable(Object.assign(new Error(m.message), { code: m.code }));
      return;
    }
    if (m.kind === "committed") {
      this.#o.onCommitted(m);
      return;
    }
    const pending = this.#pending.get(m.partition);
    this.#pending.delete(m.partition);
    if (m.kind === "failed") {
      if (!m.atOnce) this.#o.onFailed(m.partition, m.message);
      // The log asks for the partition again, from the store's offset.
      const pause = m.atOnce ? 0 : REOPEN_AFTER_MS;
      if (m.fenced) this.#o.onFenced(m.partition);
      delay(pause).then(() => pending?.reject(new Error(m.message)));
      return;
    }
    if (m.kind === "opened") this.#o.onOpened(m.partition, m.recovery);
    pending?.resolve(m.kind === "opened" ? m.from : 0);
  }
}
