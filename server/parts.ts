/** The parts that the environment chooses between: embedded ones, or the servers of a cluster. */
import type { Sql } from "postgres";
import type { Bus, Cache } from "./cache/cache.ts";
import { createEmbeddedBus, createEmbeddedCache } from "./cache/embedded.ts";
import { createRedisBus, createRedisCache } from "./cache/redis.ts";
import type { Config } from "./config.ts";
import type { SqlAddress } from "./log/connection.ts";
import { createEmbeddedLog } from "./log/embedded.ts";
import { createKafkaLog } from "./log/kafka.ts";
import type { Log } from "./log/log.ts";
import { openPartitioned } from "./log/partitions.ts";
import type { Component } from "./observe/health.ts";
import type { Logger } from "./observe/logger.ts";
import { startEmbeddedPostgres } from "./store/embedded-postgres.ts";

/** What was started, to be stopped in the opposite order. */
export type Stops = (() => Promise<void>)[];

export interface PartsOptions {
  readonly config: Config;
  readonly logger: Logger;
  readonly onFatal: (error: Error) => void;
  readonly stops: Stops;
}

/** A part that does not answer within this time is down, for the health page. */
export const PING_TIMEOUT_MS = 2000;

export async function openDatabase({ config, logger, onFatal, stops }: PartsOptions): Promise<SqlAddress> {
  if (config.databaseUrl !== undefined) return config.databaseUrl;
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, logger, onLost: onFatal });
  stops.push(() => postgres.stop());
  return { ...postgres.address };
}

export async function openLog({ config, logger, stops }: PartsOptions, address: SqlAddress): Promise<Log> {
  const { partitions, kafkaBootstrapServers: brokers } = config;
  const setting = brokers === undefined ? "PARTITIONS" : "KAFKA_PARTITIONS";
  const log = await openPartitioned(address, partitions, setting, (known) =>
    brokers === undefined
      ? createEmbeddedLog({ sql: address, partitions, logger })
      : createKafkaLog({
          brokers,
          topic: config.kafkaSensorTopic,
          partitions,
          replication: config.kafkaReplication,
          // Where the number is known to be the installation's, it is the topic that has grown: what is new stays empty.
          extraPartitions: known ? "ignore" : "refuse",
          logger,
        }),
  );
  stops.push(() => log.close());
  return log;
}

export function openCache({ config, logger, stops }: PartsOptions): { cache: Cache; bus: Bus } {
  const url = config.redisUrl;
  const cache = url === undefined ? createEmbeddedCache() : createRedisCache({ url, logger });
  const bus = url === undefined ? createEmbeddedBus({ logger }) : createRedisBus({ url, logger });
  stops.push(async () => {
    await Promise.all([cache.close(), bus.close()]);
  });
  return { cache, bus };
}

/** What the health page says of each part. */
export function components(
  config: Config,
  parts: { sql: Sql; log: Log; cache: Cache; modelVersion: string; pingUsage: (timeoutMs: number) => Promise<void> },
): Component[] {
  const kind = (address: unknown) => (address === undefined ? "embedded" : "external");
  const { sql, log, cache, modelVersion, pingUsage } = parts;
  return [
    { name: "database", detail: kind(config.databaseUrl), ping: () => pingDatabase(sql) },
    { name: "kafka", detail: kind(config.kafkaBootstrapServers), ping: () => log.ping(PING_TIMEOUT_MS) },
    { name: "redis", detail: kind(config.redisUrl), ping: () => pingRedisUsers(cache, pingUsage) },
    { name: "model", detail: modelVersion, ping: async () => {} },
  ];
}

/** Limits first: what their being counted apart means is more than that Redis is away. */
async function pingRedisUsers(cache: Cache, pingUsage: (timeoutMs: number) => Promise<void>): Promise<void> {
  await pingUsage(PING_TIMEOUT_MS);
  await cache.ping(PING_TIMEOUT_MS);
}

async function pingDatabase(sql: Sql): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${PING_TIMEOUT_MS} ms`)), PING_TIMEOUT_MS);
  try {
    await Promise.race([sql`select 1`, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
