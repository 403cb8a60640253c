import { randomUUID } from "node:crypto";
import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import type { Cache } from "../live/cache.ts";
import type { Metrics } from "../observe/metrics.ts";

const text = new TextEncoder();
/** A caller that sends this header with "no-cache" is answered from the store. */
const CONTROL_HEADER = "cache-control";

/** Names the answers that count; kept much longer than any of them. */
const GENERATION_KEY = "answer-generation";
const GENERATION_TTL_MS = 3_600_000;

/**
 * Answers that many poll, kept for as long as the configuration allows. Whatever a unary call stored the next call sees: it begins
 * a new generation of answers, for all processes that share the cache. What streams store shows within the stated staleness.
 */
export class AnswerCache {
  readonly #cache: Cache;
  readonly #ttlMs: number;
  readonly #metrics: Metrics;
  readonly #underway = new Map<string, Promise<unknown>>();

  constructor(options: { cache: Cache; ttlMs: number; metrics: Metrics }) {
    this.#cache = options.cache;
    this.#ttlMs = options.ttlMs;
    this.#metrics = options.metrics;
  }

  /** Answers from before do not count any more. */
  async expire(): Promise<void> {
    if (this.#ttlMs > 0) await this.#cache.set(GENERATION_KEY, text.encode(randomUUID()), GENERATION_TTL_MS);
  }

  async get<Desc extends DescMessage>(
    key: string,
    schema: Desc,
    context: HandlerContext,
    compute: () => Promise<MessageInitShape<Desc>>,
  ): Promise<MessageShape<Desc>> {
    if (this.#ttlMs === 0 || context.requestHeader.get(CONTROL_HEADER) === "no-cache") {
      return create(schema, await compute());
    }
    const generation = await this.#cache.get(GENERATION_KEY);
    const full = `answer/${generation === undefined ? "" : Buffer.from(generation).toString()}/${key}`;
    const fresh = async () => {
      const answer = create(schema, await compute());
      await this.#cache.set(full, toBinary(schema, answer), this.#ttlMs);
      return answer;
    };
    const cached = await this.#cache.get(full);
    this.#metrics.cacheRequests.inc({ result: cached === undefined ? "miss" : "hit" });
    if (cached !== undefined) return fromBinary(schema, cached);
    // Many that ask at once wait for one computation.
    const waiting = this.#underway.get(full) as Promise<MessageShape<Desc>> | undefined;
    if (waiting !== undefined) return waiting;
    const computing = fresh().finally(() => this.#underway.delete(full));
    this.#underway.set(full, computing);
    return computing;
  }
}
