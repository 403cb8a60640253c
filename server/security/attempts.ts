import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { payerOf } from "../lib/payer.ts";
import { hashOf } from "./secret.ts";

/** Refused credentials that an address may have in a moment: a page with many requests, a script with a wrong token. */
const BURST = 100;
/** And from then on: whoever guesses 256 random bits at this rate guesses for ever. */
const PER_SECOND = 20;
const INTERVAL_MS = 1_000 / PER_SECOND;
/** A credential that would have to wait longer is refused unread. */
const MAX_WAIT_MS = 3_000;
/** Calls that wait at once; the next is refused without a wait. Each holds a stream of some kB. */
const MAX_WAITING = 1_000;
/** Addresses with a debt, and credentials that were accepted: the oldest make room, in favour of the callers. */
const MAX_REMEMBERED = 10_000;
/** An accepted credential passes unhindered for so long after its last use, whatever else comes from its address. */
const ACCEPTED_MS = 600_000;

export interface Attempt {
  readonly address: string;
  readonly authorization: string | null;
}

/**
 * Slows down addresses whose credentials are refused. Only what is refused counts, and a credential that was accepted lately is not
 * held up: an honest caller behind the same address is served beside one who guesses; a new one waits its turn.
 */
export class Attempts {
  readonly #clock: Clock;
  readonly #sleep: (milliseconds: number) => Promise<unknown>;
  /** By who pays for an address: when its debt is paid, on the monotonic clock. */
  readonly #debts = new Map<string, number>();
  /** By the credential's hash: until when it passes. */
  readonly #accepted = new Map<string, number>();
  #waiting = 0;

  constructor(clock: Clock, sleep: (milliseconds: number) => Promise<unknown> = delay) {
    this.#clock = clock;
    this.#sleep = sleep;
  }

  /** Runs the check when it is its turn. Throws what it throws, or TelltaleError "exhausted" where its turn is too far away. */
  async check<T>({ address, authorization }: Attempt, authenticate: () => Promise<T>): Promise<T> {
    const now = this.#clock.monotonicMs();
    const credential = authorization === null ? undefined : hashOf(authorization).toString("base64");
    const known = credential !== undefined && (this.#accepted.get(credential) ?? 0) > now;
    const who = payerOf(address);
    const waited = !known && (await this.#turn(who));
    try {
      const result = await authenticate();
      if (waited) this.#add(who, -INTERVAL_MS);
      if (credential !== undefined) remember(this.#accepted, credential, this.#clock.monotonicMs() + ACCEPTED_MS);
      return result;
    } catch (error) {
      const refused = error instanceof TelltaleError && error.kind === "unauthenticated";
      if (refused && credential !== undefined) this.#accepted.delete(credential);
      if (refused && !waited) this.#add(who, INTERVAL_MS);
      if (!refused && waited) this.#add(who, -INTERVAL_MS);
      throw error;
    }
  }

  /** Whether it had to be waited for: then it is paid for in advance. */
  async #turn(who: string): Promise<boolean> {
    const waitMs = (this.#debts.get(who) ?? 0) - this.#clock.monotonicMs() - BURST * INTERVAL_MS;
    if (waitMs <= 0) return false;
    if (this.#waiting >= MAX_WAITING) throw tooMany();
    if (waitMs > MAX_WAIT_MS) {
      await this.#wait(MAX_WAIT_MS);
      throw tooMany();
    }
    this.#add(who, INTERVAL_MS);
    await this.#wait(waitMs);
    return true;
  }

  /** Also for what is refused then: who is answered at once asks again at once. */
  async #wait(milliseconds: number): Promise<void> {
    this.#waiting++;
    try {
      await this.#sleep(milliseconds);
    } finally {
      this.#waiting--;
    }
  }

  #add(who: string, milliseconds: number): void {
    const now = this.#clock.monotonicMs();
    const until = Math.max(this.#debts.get(who) ?? 0, now) + milliseconds;
    if (until > now) remember(this.#debts, who, until);
    else this.#debts.delete(who);
  }
}

function tooMany(): TelltaleError {
  const message = "Too many credentials from this address were refused: wait, and look for what sends wrong ones there";
  return new TelltaleError("exhausted", message, { retryAfterMs: MAX_WAIT_MS });
}

function remember(map: Map<string, number>, key: string, value: number): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > MAX_REMEMBERED && oldest !== undefined) map.delete(oldest);
}
