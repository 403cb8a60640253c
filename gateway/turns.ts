/**
 * Work that keeps the one thread busy takes turns between callers, with a pause after each turn in which everybody else has the thread.
 * Whoever asks for much at once waits behind itself.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { FairQueue } from "../server/lib/fair-queue.ts";
import { CLIENT_HEADER } from "./mesh/call.ts";
import { UpstreamError } from "./mesh/errors.ts";

/** After work as long as it took, and no longer than this. */
const MAX_PAUSE_MS = 1_000;
/** Of one caller that may wait: a request of ten operations, twice. */
const MAX_WAITING = 20;
/** A caller that comes back sooner finds the same queue. */
const RETRY_AFTER_MS = 1_000;

export type Headers = Readonly<Record<string, string | undefined>>;

export interface Turn {
  readonly headers: Headers;
  /** Milliseconds that the work is expected to take. */
  readonly cost: number;
  readonly signal: AbortSignal;
  /** The turn is at least this long. */
  readonly leastMs?: number;
}

export class Turns {
  readonly #queue: FairQueue;

  /** @param what of a caller waits, for people: "large operations" */
  constructor(what: string) {
    const refusal = (waiting: number) => {
      const message = `${waiting} of your ${what} wait already: ask for less at once`;
      return new UpstreamError(Code.ResourceExhausted, message, { retryAfterMs: RETRY_AFTER_MS });
    };
    this.#queue = new FairQueue({ atOnce: 1, maxWaiting: MAX_WAITING, refusal, nowMs: () => performance.now() });
  }

  /**
   * Answers as soon as the work is done; the next turn begins after the pause.
   *
   * @throws UpstreamError "RESOURCE_EXHAUSTED" where the caller has too much waiting; the signal's reason where it aborts before the turn
   */
  run<T>({ headers, cost, signal, leastMs = 0 }: Turn, work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const turn = async () => {
      const began = performance.now();
      await work().then(resolve, reject);
      await delay(Math.min(Math.max(performance.now() - began, leastMs), MAX_PAUSE_MS));
    };
    this.#queue.run(callerOf(headers), cost, signal, turn).catch(reject);
    return promise;
  }
}

/** Whose turn it takes: a token's, or an address's without one. Whether the token is worth anything the services say. */
function callerOf({ authorization, [CLIENT_HEADER]: client }: Headers): string {
  return authorization ?? client ?? "";
}
