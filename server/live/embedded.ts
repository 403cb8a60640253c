import type { Logger } from "pino";
import type { Bus, BusStats, Cache, CacheStats } from "./cache.ts";
import { Subscriptions } from "./subscriptions.ts";

/** Bytes of keys and values that the cache may hold: the lists that dashboards poll, many times over. */
const defaultMaxBytes = 16 * 1024 * 1024;
/** What an entry costs beside its key and value, about. */
const entryOverheadBytes = 100;

interface Entry {
  readonly value: Uint8Array;
  readonly bytes: number;
  /** On `performance.now()`'s scale. */
  readonly expiresAt: number;
}

/** In this process's memory; the entry that was not used for longest goes first. */
export function createEmbeddedCache(options: { readonly maxBytes?: number } = {}): Cache {
  return new EmbeddedCache(options.maxBytes ?? defaultMaxBytes);
}

class EmbeddedCache implements Cache {
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  readonly #maxBytes: number;
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const entry = this.#entries.get(key);
    if (entry && entry.expiresAt > performance.now()) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
      this.#hits++;
      return entry.value;
    }
    this.#remove(key);
    this.#misses++;
    return undefined;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    this.#remove(key);
    const bytes = key.length * 2 + value.length + entryOverheadBytes;
    if (bytes > this.#maxBytes) return;
    this.#entries.set(key, { value, bytes, expiresAt: performance.now() + ttlMs });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#remove(oldest);
    }
  }

  async delete(key: string): Promise<void> {
    this.#remove(key);
  }

  async ping(): Promise<void> {}

  stats(): CacheStats {
    return { hits: this.#hits, misses: this.#misses, failures: 0 };
  }

  async close(): Promise<void> {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#bytes -= entry.bytes;
    this.#entries.delete(key);
  }
}

/** Between the parts of this process. Messages arrive within `publish`. */
export function createEmbeddedBus(options: { readonly logger: Logger }): Bus {
  return new EmbeddedBus(options.logger);
}

class EmbeddedBus implements Bus {
  readonly #subscriptions: Subscriptions;
  #published = 0;

  constructor(logger: Logger) {
    this.#subscriptions = new Subscriptions(logger);
  }

  publish(channel: string, message: Uint8Array): void {
    this.#published++;
    this.#subscriptions.deliver(channel, message);
  }

  async subscribe(channel: string, onMessage: (message: Uint8Array) => void, onGap: () => void): Promise<() => void> {
    const listener = { onMessage, onGap };
    this.#subscriptions.add(channel, listener);
    return () => {
      this.#subscriptions.remove(channel, listener);
    };
  }

  async audience(channel: string): Promise<number> {
    return this.#subscriptions.count(channel);
  }

  stats(): BusStats {
    return { published: this.#published, dropped: 0, ...this.#subscriptions.counts };
  }

  async close(): Promise<void> {
    this.#subscriptions.clear();
  }
}
