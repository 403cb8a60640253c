/**
 * The cache holds nothing that cannot be rebuilt; every method degrades to a miss when the cache is unavailable.
 * `test/contract/cache.test.ts` runs against both adapters.
 */
export interface Cache {
  /** The bytes stored under the key, or undefined (also when the cache does not answer in time). */
  get(key: string): Promise<Uint8Array | undefined>;
  /** Best effort. `ttlMs` is the stated staleness of what is stored. */
  set(key: string, value: Uint8Array, ttlMs: number): Promise<void>;
  /** Best effort. */
  delete(key: string): Promise<void>;
  /** Rejects with the reason when the cache does not answer within the time. */
  ping(timeoutMs: number): Promise<void>;
  stats(): CacheStats;
  close(): Promise<void>;
}

/** Counted since the start of this process. */
export interface CacheStats {
  readonly hits: number;
  /** Also those where the cache did not answer. */
  readonly misses: number;
  /** Calls that the cache did not answer, or not in time. */
  readonly failures: number;
}

/** Live messages between the processes of an installation. At most once: whoever needs certainty reads the store. */
export interface Bus {
  /** Never blocks and never throws; dropped (and counted) when the bus is unavailable. */
  publish(channel: string, message: Uint8Array): void;
  /**
   * `onGap` is called whenever messages may have been lost (the connection was down). Resolves with a function that ends the
   * subscription, once messages published from now on are sure to arrive while the connection holds; when the bus is out of
   * reach, after a second all the same, and `onGap` is called once it is back.
   */
  subscribe(channel: string, onMessage: (message: Uint8Array) => void, onGap: () => void): Promise<() => void>;
  /** How many subscribe to the channel, anywhere; 0 when the bus does not answer. Decides whether a message is worth making. */
  audience(channel: string): Promise<number>;
  stats(): BusStats;
  close(): Promise<void>;
}

/** Counted since the start of this process. */
export interface BusStats {
  readonly published: number;
  /** Messages that did not go out: the bus was unavailable or did not keep up. */
  readonly dropped: number;
  readonly received: number;
  /** How often messages may have been lost. */
  readonly gaps: number;
}
