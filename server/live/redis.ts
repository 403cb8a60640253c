import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { commandTimeoutMs, openRedis, pingRedis, type RedisOptions } from "../lib/redis-client.ts";
import type { Bus, BusStats, Cache, CacheStats } from "./cache.ts";
import { type Listener, Subscriptions } from "./subscriptions.ts";

/** So that another user of the same Redis is not met by chance. */
const keyPrefix = "telltale:";
/** After so many commands in a row without an answer the connection is considered dead and recreated. */
const deadAfterTimeouts = 3;
/** How long the cache is left alone after that, in milliseconds: a slow Redis must not slow every call. */
const restMs = 1_000;
/** Commands under way; past this the cache is passed by. */
const maxInFlight = 1_000;

/** Redis as the cache: any trouble is a miss. */
export function createRedisCache(options: RedisOptions): Cache {
  return new RedisCache(openRedis(options, "telltale-cache"));
}

class RedisCache implements Cache {
  readonly #redis: Redis;
  readonly #counts = { hits: 0, misses: 0, failures: 0 };
  #inFlight = 0;
  #timeouts = 0;
  #restUntil = 0;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const value = await this.#try(() => this.#redis.getBuffer(keyPrefix + key));
    if (value) this.#counts.hits++;
    else this.#counts.misses++;
    return value ?? undefined;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    await this.#try(() => this.#redis.set(keyPrefix + key, bytes, "PX", Math.max(1, Math.round(ttlMs))));
  }

  async delete(key: string): Promise<void> {
    await this.#try(() => this.#redis.del(keyPrefix + key));
  }

  ping(timeoutMs: number): Promise<void> {
    return pingRedis(this.#redis, timeoutMs);
  }

  stats(): CacheStats {
    return { ...this.#counts };
  }

  async close(): Promise<void> {
    this.#redis.disconnect();
  }

  async #try<T>(command: () => Promise<T>): Promise<T | undefined> {
    const unfit =
      this.#redis.status !== "ready" || this.#inFlight >= maxInFlight || performance.now() < this.#restUntil;
    if (unfit) {
      this.#counts.failures++;
      return undefined;
    }
    this.#inFlight++;
    try {
      const answer = await command();
      this.#timeouts = 0;
      return answer;
    } catch (error) {
      this.#counts.failures++;
      this.#noteTimeout(error as Error);
      return undefined;
    } finally {
      this.#inFlight--;
    }
  }

  #noteTimeout({ message }: Error): void {
    if (!message.includes("timed out") || ++this.#timeouts < deadAfterTimeouts) return;
    this.#timeouts = 0;
    this.#restUntil = performance.now() + restMs;
    this.#redis.disconnect(true);
  }
}

/** Bytes that may wait in the socket; past this messages are dropped: live messages are worth nothing when they are late. */
const maxUnsentBytes = 4 * 1024 * 1024;
/** How often a silent subscription's connection is tried, in milliseconds. */
const livenessMs = 5_000;
/** What a subscription waits for Redis before it resolves without, in milliseconds. */
const subscribeWaitMs = 1_000;

interface RedisBusOptions extends RedisOptions {
  /** Called for each message that is not sent. */
  readonly onDropped?: () => void;
}

/** Redis channels as the bus between processes. */
export function createRedisBus(options: RedisBusOptions): Bus {
  return new RedisBus(options);
}

class RedisBus implements Bus {
  readonly #out: Redis;
  readonly #in: Redis;
  readonly #logger: Logger;
  readonly #subscriptions: Subscriptions;
  readonly #liveness: NodeJS.Timeout;
  /** Channels whose subscribers count on messages by now. */
  readonly #promised = new Set<string>();
  readonly #onDropped: () => void;
  #published = 0;
  #dropped = 0;

  constructor(options: RedisBusOptions) {
    this.#onDropped = options.onDropped ?? (() => undefined);
    this.#logger = options.logger;
    this.#subscriptions = new Subscriptions(options.logger);
    this.#out = openRedis(options, "telltale-bus-out");
    this.#in = openRedis(options, "telltale-bus-in");
    this.#in.on("messageBuffer", (channel: Buffer, message: Buffer) =>
      this.#subscriptions.deliver(channel.toString(), message),
    );
    this.#in.on("ready", () => void this.#subscribeAgain());
    this.#liveness = setInterval(() => void this.#checkLiveness(), livenessMs).unref();
  }

  publish(channel: string, message: Uint8Array): void {
    // Not in the library's types; absent while it connects.
    const { stream } = this.#out as Redis & { stream?: { writableLength: number } };
    if (this.#out.status !== "ready" || (stream?.writableLength ?? 0) > maxUnsentBytes) {
      this.#drop();
      return;
    }
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    this.#published++;
    this.#out.publish(channel, bytes).catch((error: unknown) => {
      this.#published--;
      this.#drop();
      this.#logger.debug({ err: error, channel }, "a message was not published");
    });
  }

  async subscribe(channel: string, onMessage: (message: Uint8Array) => void, onGap: () => void): Promise<() => void> {
    const listener: Listener = { onMessage, onGap };
    this.#subscriptions.add(channel, listener);
    if (!(await this.#isSubscribed(channel))) this.#logger.debug({ channel }, "subscribed without Redis for now");
    this.#promised.add(channel);
    return () => {
      if (!this.#subscriptions.remove(channel, listener)) return;
      this.#promised.delete(channel);
      if (this.#in.status === "ready") this.#in.unsubscribe(channel).catch((error) => this.#onInFailure(error));
    };
  }

  async audience(channel: string): Promise<number> {
    if (this.#out.status !== "ready") return 0;
    try {
      const [, count] = await this.#out.pubsub("NUMSUB", channel);
      return Number(count);
    } catch (error) {
      this.#logger.debug({ err: error, channel }, "the number of subscribers is unknown");
      return 0;
    }
  }

  #drop(): void {
    this.#dropped++;
    this.#onDropped();
  }

  stats(): BusStats {
    return { published: this.#published, dropped: this.#dropped, ...this.#subscriptions.counts };
  }

  async close(): Promise<void> {
    clearInterval(this.#liveness);
    this.#subscriptions.clear();
    this.#out.disconnect();
    this.#in.disconnect();
  }

  /** Subscribes; false when Redis does not answer, and then `ready` does it later and tells of the gap. */
  async #isSubscribed(channel: string): Promise<boolean> {
    if (this.#in.status !== "ready" && !(await becomesReady(this.#in, subscribeWaitMs))) return false;
    try {
      await this.#in.subscribe(channel);
      return true;
    } catch (error) {
      this.#onInFailure(error);
      return false;
    }
  }

  async #subscribeAgain(): Promise<void> {
    const channels = this.#subscriptions.channels();
    if (channels.length === 0) return;
    try {
      await this.#in.subscribe(...channels);
      // Only now: who reads the store after this misses nothing.
      this.#subscriptions.gap(channels.filter((channel) => this.#promised.has(channel)));
    } catch (error) {
      this.#onInFailure(error);
    }
  }

  async #checkLiveness(): Promise<void> {
    if (this.#in.status !== "ready") return;
    try {
      await this.#in.ping();
    } catch (error) {
      this.#onInFailure(error);
    }
  }

  /** A subscription that cannot be trusted is recreated, from the connection up. */
  #onInFailure(error: unknown): void {
    this.#logger.debug({ err: error, commandTimeoutMs }, "the subscription reconnects");
    this.#in.disconnect(true);
  }
}

function becomesReady(redis: Redis, waitMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (ready: boolean) => {
      clearTimeout(timer);
      redis.off("ready", onReady);
      resolve(ready);
    };
    const onReady = () => done(true);
    const timer = setTimeout(() => done(false), waitMs);
    redis.once("ready", onReady);
  });
}
