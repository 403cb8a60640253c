import type { HandlerContext } from "@connectrpc/connect";
import { TelltaleError } from "../errors.ts";
import { Shares } from "../lib/shares.ts";
import type { Metrics } from "../observe/metrics.ts";
import { callerOf } from "../security/principal.ts";
import { peerKey, principalKey } from "./principal.ts";

/** Watches of one process, so that nobody can take all its memory; callers share them. */
const MAX_WATCHES = 2000;

/** Counts the watches of a process, of all services together, and refuses those beyond a caller's share. */
export class WatchShares {
  readonly #metrics: Metrics;
  readonly #shares = new Shares(MAX_WATCHES);

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  async *counted<T>(
    kind: "readings" | "alerts" | "incidents",
    { values }: HandlerContext,
    run: () => AsyncGenerator<T>,
  ): AsyncGenerator<T> {
    const caller = callerOf(values.get(principalKey), values.get(peerKey).address);
    const leave = this.#shares.enter(caller);
    if (leave === undefined) {
      const message = `you have ${this.#shares.heldBy(caller)} of ${this.#shares.taken} watches, and ${MAX_WATCHES} are for all: end some, or try again later`;
      throw new TelltaleError("exhausted", message, { retryAfterMs: 5000 });
    }
    this.#metrics.watchers.inc({ kind });
    try {
      yield* run();
    } finally {
      leave();
      this.#metrics.watchers.dec({ kind });
    }
  }
}
