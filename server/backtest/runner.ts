import { Worker } from "node:worker_threads";
import type { LogLevel } from "../config.ts";
import { TelltaleError } from "../errors.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import type {
  Explained,
  ExplainJob,
  Forecasted,
  ForecastJob,
  FromThread,
  Job,
  JudgeSettings,
  LabelEffect,
  LabelJob,
  Preview,
  PreviewJob,
  RangeJob,
  ThreadData,
} from "./jobs.ts";

/** Backtests and previews of settings at once in a process: each takes a core for seconds to minutes. */
const MOST_RANGES = 2;
/** A preview that is past its time ends by itself at the next page of readings; after so long more its thread is ended. */
const PREVIEW_GRACE_MS = 1_000;
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
    for await (const message of this.#alone(job, signal)) if (message.kind === "response") yield message.bytes;
  }

  /**
   * What was found by the job's time, or little later: a step that takes long, such as reading the ticks of years, ends with the thread.
   * Throws TelltaleError "exhausted" where others are running, or where not even the sensors concerned were found in time.
   */
  async preview(job: PreviewJob, signal: AbortSignal): Promise<Preview> {
    const over = AbortSignal.timeout(Math.max(0, Math.ceil(job.untilMs - Date.now())) + PREVIEW_GRACE_MS);
    let newest: Preview | undefined;
    try {
      for await (const m of this.#alone(job, AbortSignal.any([signal, over])))
        if (m.kind === "preview") newest = m.result;
    } catch (error) {
      if (signal.aborted || !over.aborted) throw error;
    }
    if (newest !== undefined) return newest;
    throw new TelltaleError(
      "exhausted",
      "the sensors concerned were not found within the call's time: give it longer",
      {
        retryAfterMs: 10_000,
      },
    );
  }

  async *#alone(job: Job, signal: AbortSignal): AsyncGenerator<FromThread> {
    if (this.#ranges >= MOST_RANGES) {
      throw new TelltaleError(
        "exhausted",
        `${MOST_RANGES} backtests or dry runs are running already: try again later`,
        {
          retryAfterMs: 10_000,
        },
      );
    }
    this.#ranges++;
    try {
      yield* this.#run(job, signal);
    } finally {
      this.#ranges--;
    }
  }

  async explain(job: ExplainJob, signal: AbortSignal): Promise<Explained> {
    for await (const m of this.#inTurn(job, signal)) if (m.kind === "explained") return m.result;
    throw new TelltaleError("internal", "the explanation's thread ended without a result");
  }

  async forecast(job: ForecastJob, signal: AbortSignal): Promise<Forecasted> {
    for await (const m of this.#inTurn(job, signal)) if (m.kind === "forecast") return m.result;
    throw new TelltaleError("internal", "the forecast's thread ended without a result");
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
        throw new TelltaleError(
          "exhausted",
          "too many explanations and forecasts are asked for at once: try again later",
          {
            retryAfterMs: 5_000,
          },
        );
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
