/** The dependencies that the environment chooses between: embedded ones, or the servers of a cluster. */
import type { Sql } from "postgres";
import type { Config } from "../config.ts";
import type { Bus, Cache } from "../live/cache.ts";
import { createEmbeddedBus, createEmbeddedCache } from "../live/embedded.ts";
import { createRedisBus, createRedisCache } from "../live/redis.ts";
import { createEmbeddedLog } from "../log/embedded.ts";
import { createKafkaLog } from "../log/kafka.ts";
import type { Log } from "../log/log.ts";
import { openPartitioned } from "../log/partitions.ts";
import type { Component } from "../observe/health.ts";
import { type Progress, stallText } from "../observe/progress.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import { startEmbeddedPostgres } from "../postgres/embedded.ts";
import { DatabaseSpace, tryRoom } from "../store/database-space.ts";
import { probeDatabase } from "../store/probe.ts";
import { type Room, Space } from "../store/space.ts";
import type { Broker } from "./broker.ts";
import type { Wiring } from "./wiring.ts";

/** A part that does not answer within this time is down, for the health page. */
const PING_TIMEOUT_MS = 2000;

export async function openDatabase({ config, logger, onFatal, cleanups }: Wiring): Promise<SqlAddress> {
  if (config.databaseUrl !== undefined) {
    await probeDatabase(config.databaseUrl);
    return config.databaseUrl;
  }
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, logger, onLost: onFatal });
  cleanups.add("embedded database", () => postgres.stop());
  return { ...postgres.address };
}

/** Of the embedded database the disk is ours to watch; another one says itself when it has no room. */
export async function openRoom({ config, logger, cleanups }: Wiring, sql: Sql): Promise<Room> {
  if (config.databaseUrl !== undefined) {
    const space = new DatabaseSpace({ logger, tryRoom: () => tryRoom(sql) });
    cleanups.add("watch of the database's room", () => space.close());
    return space;
  }
  const space = new Space({ folder: config.dataDir, logger });
  cleanups.add("watch of the disk", () => space.close());
  await space.look();
  return space;
}

export async function openLog({ config, logger, cleanups }: Wiring, address: SqlAddress, room: Room): Promise<Log> {
  const { partitions, kafkaBootstrapServers: brokers } = config;
  const setting = brokers === undefined ? "PARTITIONS" : "KAFKA_PARTITIONS";
  const log = await openPartitioned(address, partitions, setting, (known) =>
    brokers === undefined
      ? createEmbeddedLog({ sql: address, partitions, logger, onRefused: (error) => room.refused(error) })
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
  cleanups.add("log", () => log.close());
  return log;
}

export function openCache({ config, logger, metrics, cleanups }: Wiring): { cache: Cache; bus: Bus } {
  const url = config.redisUrl;
  const cache = url === undefined ? createEmbeddedCache() : createRedisCache({ url, logger });
  const bus =
    url === undefined
      ? createEmbeddedBus({ logger })
      : createRedisBus({ url, logger, onDropped: () => metrics.busDropped.inc() });
  cleanups.add("cache and bus", async () => {
    await Promise.all([cache.close(), bus.close()]);
  });
  return { cache, bus };
}

/** What the health page says of each part. */
export function components(
  config: Config,
  parts: {
    sql: Sql;
    log: Log;
    cache: Cache;
    modelVersion: string;
    pingUsage: (timeoutMs: number) => Promise<void>;
    progress: Progress;
    room: Room;
    broker: Broker | undefined;
  },
): Component[] {
  const kind = (address: unknown) => (address === undefined ? "embedded" : "external");
  const { sql, log, cache, modelVersion, pingUsage, progress, room, broker } = parts;
  return [
    { name: "database", detail: kind(config.databaseUrl), ping: () => pingDatabase(sql, room) },
    { name: "kafka", detail: kind(config.kafkaBootstrapServers), ping: () => log.ping(PING_TIMEOUT_MS) },
    { name: "redis", detail: kind(config.redisUrl), ping: () => pingRedisUsers(cache, pingUsage) },
    { name: "model", detail: modelVersion, ping: async () => {} },
    ...(config.roles.has("score") ? [{ name: "scoring" as const, detail: "", ping: () => pingScoring(progress) }] : []),
    ...(broker === undefined ? [] : [{ name: "mqtt" as const, detail: broker.address, ping: broker.ping }]),
  ];
}

/** Limits first: what their being counted apart means matters more than that Redis is unavailable. */
async function pingRedisUsers(cache: Cache, pingUsage: (timeoutMs: number) => Promise<void>): Promise<void> {
  await pingUsage(PING_TIMEOUT_MS);
  await cache.ping(PING_TIMEOUT_MS);
}

async function pingScoring({ stalled }: Progress): Promise<void> {
  if (stalled.length > 0) throw new Error(stallText(stalled));
}

async function pingDatabase(sql: Sql, { full }: Room): Promise<void> {
  if (full !== undefined) throw new Error(full);
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${PING_TIMEOUT_MS} ms`)), PING_TIMEOUT_MS);
  try {
    await Promise.race([sql`select 1`, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
