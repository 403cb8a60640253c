import type { Redis } from "ioredis";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";

/** Counts what a principal uses in windows of a second. */
export interface UsageCounter {
  /** Adds to the count of this second and answers with it, over all processes that share the counter. */
  add(key: string, amount: number): Promise<number>;
}

/** A second in milliseconds: the window of every rate. */
export const windowMs = 1_000;
/** Principals counted at once; past it the count begins again, in favour of the callers. */
const maxKeys = 100_000;

export function createLocalCounter(clock: Clock): UsageCounter {
  let counts = new Map<string, number>();
  let window = -1;
  return {
    async add(key, amount) {
      const now = Math.floor(clock.nowUs() / 1_000 / windowMs);
      if (now !== window || counts.size >= maxKeys) counts = new Map();
      window = now;
      const count = (counts.get(key) ?? 0) + amount;
      counts.set(key, count);
      return count;
    },
  };
}

/** Counts across replicas; alone with what this process sees while Redis is out of reach. */
export function createRedisCounter(redis: Redis, clock: Clock, logger: Logger): UsageCounter {
  const local = createLocalCounter(clock);
  return {
    async add(key, amount) {
      const own = await local.add(key, amount);
      const name = `telltale:quota:${key}:${Math.floor(clock.nowUs() / 1_000 / windowMs)}`;
      try {
        const answers = await redis
          .multi()
          .incrby(name, amount)
          .pexpire(name, 2 * windowMs)
          .exec();
        return Math.max(own, Number(answers?.[0]?.[1] ?? 0));
      } catch (error) {
        logger.debug({ err: error }, "usage counted locally");
        return own;
      }
    },
  };
}
