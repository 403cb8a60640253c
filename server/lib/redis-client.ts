import { Redis } from "ioredis";
import type { Logger } from "pino";

export interface RedisOptions {
  /** redis://… or rediss://… */
  readonly url: string;
  readonly logger: Logger;
}

/** A command without an answer for so long has failed, in milliseconds: longer than that, the store is the faster way. */
export const commandTimeoutMs = 250;
/** Between attempts to connect, in milliseconds; doubles up to the second. */
const retryMs = { first: 50, most: 2_000 };

/**
 * A connection that never queues: while it is down, commands fail at once, and none is resent later. It comes back by
 * itself. `name` tells the connections apart in the server's list.
 */
export function openRedis({ url, logger }: RedisOptions, name: string): Redis {
  const redis = new Redis(url, {
    connectionName: name,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2_000,
    keepAlive: 5_000,
    retryStrategy: (times) =>
      Math.min(retryMs.first * 2 ** Math.min(times, 10), retryMs.most) * (0.5 + Math.random() / 2),
  });
  let reported = false;
  redis.on("error", (error) => {
    logger[reported ? "debug" : "warn"]({ err: error, name }, "Redis is unavailable");
    reported = true;
  });
  redis.on("ready", () => {
    if (reported) logger.info({ name }, "Redis is back");
    reported = false;
  });
  return redis;
}

/** Rejects with the reason when Redis does not answer within the time. */
export async function pingRedis(redis: Redis, timeoutMs: number): Promise<void> {
  if (redis.status !== "ready") throw new Error(`not connected (${redis.status})`);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
  try {
    await Promise.race([redis.ping(), late]);
  } finally {
    clearTimeout(timer);
  }
}
