import { Histogram } from "./histogram.ts";

/** What happened in one second of the run. */
class Second {
  sent = 0;
  settled = 0;
  errors = 0;
  readonly durableMs = new Histogram();
  readonly settledMs = new Histogram();
}

/** Keeps what a run sees, second by second. Times are milliseconds of the process's clock. */
export class Recorder {
  readonly #startMs: number;
  readonly seconds: Second[] = [];
  readonly errors = new Map<string, number>();
  sent = 0;
  settled = 0;
  failed = 0;

  constructor(startMs: number) {
    this.#startMs = startMs;
  }

  get now(): Second {
    return this.#second(performance.now());
  }

  /** A reading went out at this moment; it was due at `dueMs`. */
  took(): void {
    this.sent++;
    this.now.sent++;
  }

  /** The delay of a reading counts from the moment it was due, in the second in which it was due. */
  durable(dueMs: number): void {
    this.#second(dueMs).durableMs.add(performance.now() - dueMs);
  }

  settle(dueMs: number): void {
    this.settled++;
    this.now.settled++;
    this.#second(dueMs).settledMs.add(performance.now() - dueMs);
  }

  /** @param kind a sentence of few different ones */
  error(kind: string, times = 1): void {
    this.errors.set(kind, (this.errors.get(kind) ?? 0) + times);
    this.failed += times;
    this.now.errors += times;
  }

  /** Over the whole run, or over its last seconds. */
  total(which: "durableMs" | "settledMs", lastSeconds = Number.POSITIVE_INFINITY): Histogram {
    const sum = new Histogram();
    for (const second of this.seconds.slice(-lastSeconds)) sum.merge(second[which]);
    return sum;
  }

  #second(ms: number): Second {
    const index = Math.max(0, Math.floor((ms - this.#startMs) / 1000));
    while (this.seconds.length <= index) this.seconds.push(new Second());
    return this.seconds[index]!;
  }
}
