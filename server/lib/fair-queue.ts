interface Waiting {
  /** Virtual time at which it may begin. */
  readonly tag: number;
  readonly begin: () => void;
}

export interface FairQueueOptions {
  /** Pieces of work under way at once. */
  readonly atOnce: number;
  /** Of one flow; past it, it is refused. */
  readonly maxWaiting: number;
  /** The error of who is refused with so many pieces of work waiting. */
  readonly refusal: (waiting: number) => Error;
  /** Milliseconds; only differences count. */
  readonly nowMs: () => number;
}

/**
 * Shares a resource between flows by start-time fair queueing (Goyal, Vin and Cheng, 1996): each flow has its own virtual clock, which
 * its work moves on by what it cost, and whose clock is furthest behind comes next. A flow that asks for much waits behind itself.
 */
export class FairQueue {
  readonly #options: FairQueueOptions;
  readonly #waiting = new Map<string, Waiting[]>();
  /** Where each flow's clock stands; forgotten when nobody waits. */
  readonly #clocks = new Map<string, number>();
  #now = 0;
  #running = 0;

  constructor(options: FairQueueOptions) {
    this.#options = options;
  }

  /**
   * Runs the work in its turn.
   *
   * @param cost milliseconds that it is expected to take; what it took is charged afterwards
   * @throws the refusal where the flow has too much waiting; the signal's reason where it aborts before the turn
   */
  async run<T>(flow: string, cost: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#turn(flow, cost, signal);
    const began = this.#options.nowMs();
    try {
      return await work();
    } finally {
      const over = this.#options.nowMs() - began - cost;
      if (this.#clocks.has(flow)) this.#clocks.set(flow, this.#clocks.get(flow)! + over);
      this.#running--;
      this.#next();
    }
  }

  #turn(flow: string, cost: number, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(flow) ?? [];
    if (queue.length >= this.#options.maxWaiting) throw this.#options.refusal(queue.length);
    signal.throwIfAborted();
    const tag = Math.max(this.#now, this.#clocks.get(flow) ?? 0);
    this.#clocks.set(flow, tag + cost);
    return new Promise((resolve, reject) => {
      const leave = () => {
        queue.splice(queue.indexOf(entry), 1);
        if (queue.length === 0) this.#waiting.delete(flow);
        reject(signal.reason);
      };
      const entry: Waiting = {
        tag,
        begin: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      queue.push(entry);
      this.#waiting.set(flow, queue);
      this.#next();
    });
  }

  /** Flows are as many as callers that wait: a walk through them is short. */
  #next(): void {
    while (this.#running < this.#options.atOnce && this.#waiting.size > 0) {
      const [flow, queue] = [...this.#waiting].reduce((a, b) => (b[1][0]!.tag < a[1][0]!.tag ? b : a));
      const entry = queue.shift()!;
      if (queue.length === 0) this.#waiting.delete(flow);
      this.#now = Math.max(this.#now, entry.tag);
      this.#running++;
      entry.begin();
    }
    if (this.#running === 0 && this.#waiting.size === 0) this.#clocks.clear();
  }
}
