/**
 * Sends what is queued, in the order of each group and channel, and records what became of it. It works while this process is the one that
 * notifies. A message that was sent and not recorded, because the process died between, is sent again with the same key.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Sql } from "postgres";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../observe/logger.ts";
import type { Sent } from "../channel.ts";
import type { ReceiverConfig } from "../config/config.ts";
import { MAX_TIMEOUT_MS } from "../config/limits.ts";
import type { Message } from "../message.ts";
import { MAX_AT_ONCE, MAX_OF_RECEIVER } from "./limits.ts";
import { record } from "./record.ts";
import { type Delivery, dueDeliveries, nextDueUs, noChannel, pruneDeliveries } from "./store.ts";
import type { FindChannel, Target } from "./target.ts";

/** One attempt may take so long: channels have times of their own, and none a longer one. */
const ATTEMPT_MS = MAX_TIMEOUT_MS + 10_000;
/** Longer ago than this, whatever configuration has a message's channel is known here. */
const FRESH_US = 5_000_000;
/** What is on its way when the process ends may take so long. */
const CLOSE_MS = 3_000;
/** A failure of the database is waited out. */
const RETRY_MS = 1_000;
const PRUNE_EVERY_MS = 3_600_000;
/** Timers of days do not exist. */
const MOST_SLEEP_MS = 3_600_000;

export interface SenderOptions {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly channelOf: FindChannel;
  readonly receiverOf: (name: string) => ReceiverConfig | undefined;
  /** Whether nothing may be sent there for now; `look` follows. */
  readonly isHeld: (target: Target) => boolean;
  /** The message as it is sent. */
  readonly prepare: (delivery: Delivery) => Promise<Message>;
  readonly onAttempt: (delivery: Delivery, sent: Sent) => void;
}

export class Sender {
  readonly #o: SenderOptions;
  readonly #closing = new AbortController();
  readonly #cutting = new AbortController();
  readonly #sending = new Map<number, { delivery: Delivery; done: Promise<void> }>();
  /** Those that ended since the store was asked for what is due. */
  readonly #ended = new Set<number>();
  #wake = Promise.withResolvers<void>();
  #isActive = false;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #prunedMs = Number.NEGATIVE_INFINITY;
  readonly #running: Promise<void>;

  constructor(options: SenderOptions) {
    this.#o = options;
    this.#running = this.#run();
  }

  /**
   * Looks for what is queued. `isActive`: whether this process is the one that notifies; `queued`: messages that were just committed and that
   * nothing is before: those for which there is room are begun at once, and the others found in their turn.
   */
  look(isActive: boolean, queued: readonly Delivery[] = []): void {
    this.#isActive = isActive;
    if (!isActive || this.#closing.signal.aborted) return;
    const nowUs = this.#o.clock.nowUs();
    for (const delivery of queued) this.#begin(delivery, nowUs);
    this.#wake.resolve();
  }

  /** When it last looked for what is due without a failure, on the monotonic clock. */
  get lookedMs(): number {
    return this.#lookedMs;
  }

  /** Keys of groups, a message of which is on its way there. */
  sendingGroups({ receiver, channelKey }: Target): ReadonlySet<string> {
    const own = [...this.#sending.values()].map(({ delivery }) => delivery);
    return new Set(
      own
        .filter((each) => each.receiver === receiver && each.channelKey === channelKey)
        .map(({ message }) => message.groupKey),
    );
  }

  /** Waits a moment for what is on its way; what is not taken by then is sent again by whoever goes on. */
  async close(): Promise<void> {
    this.#closing.abort(new Error("the process ends"));
    this.#wake.resolve();
    await this.#running;
    const cut = setTimeout(() => this.#cutting.abort(new Error("the process ends")), CLOSE_MS);
    await Promise.all([...this.#sending.values()].map(({ done }) => done));
    clearTimeout(cut);
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#wake = Promise.withResolvers();
      let waitsMs = RETRY_MS;
      try {
        waitsMs = this.#isActive ? await this.#start() : Number.POSITIVE_INFINITY;
      } catch (error) {
        this.#o.logger.warn({ err: error, retryInMs: RETRY_MS }, "messages are sent later");
      }
      await this.#sleep(waitsMs);
    }
  }

  async #sleep(ms: number): Promise<void> {
    const awake = new AbortController();
    const timer =
      ms === Number.POSITIVE_INFINITY ? [] : [delay(Math.min(ms, MOST_SLEEP_MS), undefined, { signal: awake.signal })];
    await Promise.race([this.#wake.promise, ...timer]);
    awake.abort();
    await Promise.allSettled(timer);
  }

  /** Sends what is due and for which there is room; how long there is nothing to do then. */
  async #start(): Promise<number> {
    const { sql, clock } = this.#o;
    const nowUs = clock.nowUs();
    if (clock.monotonicMs() - this.#prunedMs > PRUNE_EVERY_MS) {
      await pruneDeliveries(sql, nowUs);
      this.#prunedMs = clock.monotonicMs();
    }
    // One that is sent and recorded while the store is asked would be in the answer, and be sent again.
    this.#ended.clear();
    for (const delivery of await this.#due(nowUs)) {
      if (!this.#ended.has(delivery.id)) this.#begin(delivery, nowUs);
    }
    // What is due and finds no room is begun when a sending ends, which wakes this loop.
    const nextUs = await nextDueUs(sql, nowUs);
    this.#lookedMs = clock.monotonicMs();
    return nextUs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, (nextUs - clock.nowUs()) / 1_000);
  }

  /** Unless it is on its way already, or there is no room for it. */
  #begin(delivery: Delivery, nowUs: number): void {
    const { id, receiver } = delivery;
    if (this.#sending.has(id) || this.#sending.size >= MAX_AT_ONCE) return;
    if (this.#ofReceiver(receiver) >= MAX_OF_RECEIVER || this.#isAhead(delivery, nowUs)) return;
    if (!this.#o.isHeld(delivery)) this.#sending.set(id, { delivery, done: this.#send(delivery) });
  }

  /** Whether the configuration that has its channel was applied a moment ago, and this process is yet to hear of it: then `look` follows. */
  #isAhead({ receiver, channelKey, createdUs }: Delivery, nowUs: number): boolean {
    return createdUs > nowUs - FRESH_US && this.#o.channelOf(receiver, channelKey) === undefined;
  }

  async #due(nowUs: number): Promise<Delivery[]> {
    if (this.#sending.size >= MAX_AT_ONCE) return [];
    const receivers = new Set(this.#sending.values().map(({ delivery }) => delivery.receiver));
    const but = [...receivers].filter((receiver) => this.#ofReceiver(receiver) >= MAX_OF_RECEIVER);
    return dueDeliveries(this.#o.sql, { nowUs, limit: 4 * MAX_AT_ONCE, but });
  }

  #ofReceiver(receiver: string): number {
    return this.#sending.values().reduce((count, each) => count + (each.delivery.receiver === receiver ? 1 : 0), 0);
  }

  async #send(delivery: Delivery): Promise<void> {
    const { logger, onAttempt } = this.#o;
    try {
      const sent = await this.#attempt(delivery);
      onAttempt(delivery, sent);
      await this.#record(delivery, sent);
    } catch (error) {
      logger.warn(
        { err: error, key: delivery.message.key },
        "what became of a message was not recorded: it is sent again",
      );
      await delay(RETRY_MS);
    } finally {
      this.#sending.delete(delivery.id);
      this.#ended.add(delivery.id);
      this.#wake.resolve();
    }
  }

  async #attempt(delivery: Delivery): Promise<Sent> {
    const { receiver, channelKey, message, attempts } = delivery;
    const target = this.#o.channelOf(receiver, channelKey);
    if (target === undefined) return { kind: "failed", reason: noChannel(receiver) };
    try {
      const prepared = await this.#o.prepare(delivery);
      // The words must not wait for a picture that is too much for the other side.
      const sent = attempts === 0 ? prepared : { ...prepared, isPlain: true };
      return await target.send(sent, AbortSignal.any([AbortSignal.timeout(ATTEMPT_MS), this.#cutting.signal]));
    } catch (error) {
      this.#o.logger.error({ err: error, key: message.key }, "a channel failed by itself");
      return { kind: "retry", reason: "the channel failed by itself; the log of the platform has the error" };
    }
  }

  async #record(delivery: Delivery, sent: Sent): Promise<void> {
    const { sql, clock, logger, receiverOf } = this.#o;
    const { attempts, receiver, kind } = delivery;
    const recorded = await record(sql, delivery, sent, { receiverOf, nowUs: clock.nowUs(), random: Math.random() });
    if (sent.kind === "ok" && sent.note !== undefined) logger.warn({ receiver, kind }, sent.note);
    if (sent.kind === "ok" || recorded.kind === "sent") return;
    const about = { receiver, kind, attempts: attempts + 1, reason: sent.reason };
    if (recorded.kind === "waits") logger.warn(about, "a message waits for its receiver");
    else logger.error({ ...about, fallbackTo: recorded.fallbackTo }, "a message was not delivered");
  }
}
