import type { Sql } from "postgres";
import type { Bus, Cache } from "../live/cache.ts";
import type { Log } from "../log/log.ts";
import type { SqlAddress } from "../postgres/connection.ts";
import { migrate } from "../postgres/migrate.ts";
import { SensorNames } from "../store/names.ts";
import { openStoreSql } from "../store/postgres.ts";
import { databaseRefusal } from "../store/probe.ts";
import { QuarantineQueries } from "../store/quarantine.ts";
import { Queries } from "../store/queries.ts";
import type { Room } from "../store/space.ts";
import { Uptime } from "../store/uptime.ts";
import { openCache, openDatabase, openLog, openRoom } from "./dependencies.ts";
import type { Wiring } from "./wiring.ts";

/** Connections for queries: more than cores, so that a slow one does not delay the others. */
const QUERY_CONNECTIONS = 8;
/** A query that takes longer than this is a mistake or an attack. */
const QUERY_TIMEOUT_MS = 30_000;

/** Where readings are kept, and what carries them between processes. */
export interface Storage {
  readonly address: SqlAddress;
  /** For queries. */
  readonly sql: Sql;
  readonly queries: Queries;
  readonly quarantine: QuarantineQueries;
  readonly log: Log;
  readonly cache: Cache;
  readonly bus: Bus;
  /** Of sensors that were renamed. */
  readonly names: SensorNames;
  /** Of the database. */
  readonly room: Room;
}

/** Opens the database with the newest schema, the log and the cache: embedded ones, or those that the environment names. */
export async function wireStorage(w: Wiring): Promise<Storage> {
  const { config, clock, logger, cleanups, ending } = w;
  const address = await openDatabase(w);
  ending?.throwIfAborted();
  const sql = openStoreSql(address, QUERY_CONNECTIONS, QUERY_TIMEOUT_MS, "telltale-query");
  cleanups.add("connections for queries", () => sql.end({ timeout: 5 }));
  const refuse = (error: unknown) => {
    throw databaseRefusal(config.databaseUrl, error);
  };
  await migrate(sql).catch(refuse);
  ending?.throwIfAborted();
  const uptime = new Uptime(sql, clock, logger);
  // The first write where the schema is the newest: a database that can only be read is found out here.
  await uptime.start().catch(refuse);
  cleanups.add("record of the uptime", () => uptime.stop());
  const names = new SensorNames({ sql, logger });
  await names.start().catch(refuse);
  cleanups.add("names of sensors", () => names.stop());
  const room = await openRoom(w, sql);
  const log = await openLog(w, address, room);
  ending?.throwIfAborted();
  const { cache, bus } = openCache(w);
  const [queries, quarantine] = [new Queries(sql), new QuarantineQueries(sql)];
  return { address, sql, queries, quarantine, log, cache, bus, names, room };
}
