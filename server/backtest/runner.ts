import { Worker } from "node:worker_threads";
import type { LogLevel } from "../config.ts";
import { TelltaleError } from "../errors.ts";
import type { SqlAddress } from "../log/connection.ts";
import type {
  Explained,
  ExplainJob,
  FromThread,
  Job,
  JudgeSettings,
  LabelEffect,
  LabelJob,
  RangeJob,
  ThreadData,
} from "./jobs.ts";

/** Backtests at once in a process: each takes a core for seconds to minutes. */
const MOST_RANGES = 2;
/** Explanations and effects of labels at once, and waiting: each takes up to a few seconds. */
const MOST_SHORT = 2;
const MOST_WAITING = 32;

export interface RunnerOptions extends JudgeSettings {
  readonly address: SqlAddress;
  readonly logLevel: LogLevel;
}

/** Runs jobs, each in a thread of its own that ends with it. */
export class BacktestRunner {
  readonly #o: RunnerOptions;
  readonly #threads = new Set<Worker>();
  #ranges = 0;
  #short = 0;
  readonly #queue: (() => void)[] = [];

  constructor(options: RunnerOptions) {
    this.#o = options;
  }

  /**
   * `BacktestResponse`s in binary form. Leaving the iteration, or the signal, ends the job. Throws TelltaleError "exhausted" where
   * others are running, "invalid" where the job asks for what is not there.
   */
  async *range(job: RangeJob, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    if (this.#ranges >= MOST_RANGES) {
      throw new TelltaleError("exhausted", `${MOST_RANGES} backtests are running already: try again later`, {
        retryAfterMs: 10_000,
      });
    }
    this.#ranges++;
    try {
      for await (const message of this.#run(job, signal)) if (message.kind === "response") yield message.bytes;
    } finally {
      this.#ranges--;
    }
  }

  async explain(job: ExplainJob, signal: AbortSignal): Promise<Explained> {
    for await (const m of this.#inTurn(job, signal)) if (m.kind === "explained") return m.result;
    throw new TelltaleError("internal", "the explanation's thread ended without a result");
  }

  async label(job: LabelJob, signal: AbortSignal): Promise<LabelEffect> {
    for await (const m of this.#inTurn(job, signal)) if (m.kind === "effect") return m.result;
    throw new TelltaleError("internal", "the label's thread ended without a result");
  }

  /** Ends what is running. */
  async close(): Promise<void> {
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }

  async *#inTurn(job: Job, signal: AbortSignal): AsyncGenerator<FromThread> {
    if (this.#short >= MOST_SHORT) {
      if (this.#queue.length >= MOST_WAITING) {
        throw new TelltaleError("exhausted", "too many explanations are asked for at once: try again later", {
          retryAfterMs: 5_000,
        });
      }
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#short++;
    try {
      signal.throwIfAborted();
      yield* this.#run(job, signal);
    } finally {
      this.#short--;
      this.#queue.shift()?.();
    }
  }

  async *#run(job: Job, signal: AbortSignal): AsyncGenerator<FromThread> {
    signal.throwIfAborted();
    const { address, logLevel, threshold, alarmsPerSensorDay, runtime, modelPath } = this.#o;
    const workerData: ThreadData = { address, logLevel, threshold, alarmsPerSensorDay, runtime, modelPath, job };
    const thread = new Worker(new URL("./thread.ts", import.meta.url), { workerData, name: `backtest-${job.kind}` });
    this.#threads.add(thread);
    const said: FromThread[] = [];
    let ended = false;
    let failure: unknown;
    let wake = () => {};
    const hear = (act: () => void) => {
      act();
      wake();
    };
    thread.on("message", (message: FromThread) => hear(() => said.push(message)));
    thread.on("error", (error) => hear(() => (failure = error)));
    thread.on("exit", () => hear(() => (ended = true)));
    // Also where nobody asks for the next response any more.
    const abort = () => {
      wake();
      void thread.terminate();
    };
    signal.addEventListener("abort", abort);
    try {
      for (;;) {
        signal.throwIfAborted();
        const message = said.shift();
        if (message?.kind === "refused") throw new TelltaleError(message.error, message.message);
        if (message !== undefined) {
          yield message;
          thread.postMessage("taken");
          continue;
        }
        if (failure !== undefined) throw failure;
        if (ended) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener("abort", abort);
      this.#threads.delete(thread);
      if (!ended) await thread.terminate();
    }
  }
}
