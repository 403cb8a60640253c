/** The old platform's tables, read where they are. Nothing is written there. */
import postgres, { type Sql } from "postgres";
import { type Fields, NEEDED, OPTIONAL } from "./row.ts";

const READINGS_TABLE = "sensor_data";
export const ALERTS_TABLE = "anomaly_alerts";
const NEEDED_COLUMNS = ["id", ...NEEDED];
/** Rows a round trip. */
const CURSOR_ROWS = 5_000;

/** The row that was the last one settled: reading goes on behind it. */
export interface Place {
  readonly timestamp: string;
  readonly id: string;
}

export interface OldDatabase {
  /** Names it without a password. */
  readonly name: string;
  hasTable(table: string): Promise<boolean>;
  /** Rows of `sensor_data` behind the place. */
  count(after: Place | undefined): Promise<number>;
  /** The same rows in the order of (timestamp, id), as one moment of the database has them. */
  readings(after: Place | undefined): AsyncGenerator<Fields & Place>;
  /** `anomaly_alerts` by sensor and time. */
  alerts(): AsyncGenerator<Fields>;
  close(): Promise<void>;
}

export function isDatabase(source: string): boolean {
  return /^postgres(ql)?(\+\w+)?:\/\//i.test(source);
}

/** @param url also with the scheme that Python's libraries use, postgresql+asyncpg:// */
export function openOldDatabase(url: string): OldDatabase {
  const sql = postgres(url.replace(/^postgres(?:ql)?(?:\+\w+)?:/i, "postgresql:"), {
    max: 2,
    onnotice: () => {},
    // Times come as UTC text and doubles with all their digits, whatever the server's own settings; a sort may take its time.
    connection: { TimeZone: "UTC", DateStyle: "ISO", extra_float_digits: 3, statement_timeout: 0 } as never,
  });
  const { host, port, pathname } = new URL(url.replace(/^\S+?:\/\//, "http://"));
  return {
    name: `postgresql://${host || port}${pathname}`,
    hasTable: async (table) => (await columnsOf(sql, table)).size > 0,
    count: async (after) => {
      await reached(sql);
      need(await columnsOf(sql, READINGS_TABLE), READINGS_TABLE, NEEDED_COLUMNS);
      const { where, values } = await behind(sql, after);
      const [row] = await sql.unsafe(`select count(*) as count from ${READINGS_TABLE} ${where}`, values);
      return Number(row?.count);
    },
    readings: async function* (after) {
      const columns = await columnsOf(sql, READINGS_TABLE);
      const names = [...NEEDED_COLUMNS, ...OPTIONAL.filter((name) => columns.has(name))];
      const { where, values } = await behind(sql, after);
      const query = `select ${asText(names)} from ${READINGS_TABLE} t ${where} order by t.timestamp, t.id`;
      for await (const rows of sql.unsafe(query, values).cursor(CURSOR_ROWS))
        yield* rows as unknown as (Fields & Place)[];
    },
    alerts: async function* () {
      const columns = await columnsOf(sql, ALERTS_TABLE);
      need(columns, ALERTS_TABLE, ["id", "sensor_id", "timestamp"]);
      const optional = ["severity", "message", "anomaly_score", "resolved"].filter((name) => columns.has(name));
      const names = asText(["id", "sensor_id", "timestamp", ...optional]);
      const query = `select ${names} from ${ALERTS_TABLE} t order by t.sensor_id, t.timestamp, t.id`;
      for await (const rows of sql.unsafe(query).cursor(CURSOR_ROWS)) yield* rows as unknown as Fields[];
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

async function reached(sql: Sql): Promise<void> {
  await sql`select 1`.catch((cause: Error) => {
    throw new Error(`The old database does not answer: ${cause.message}`, { cause });
  });
}

function asText(names: readonly string[]): string {
  return names.map((name) => `t."${name}"::text as "${name}"`).join(", ");
}

/** Types by the names of the columns; empty where there is no such table on the search path. */
async function columnsOf(sql: Sql, table: string): Promise<Map<string, string>> {
  const rows = await sql`
    select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
    where attrelid = to_regclass(${table}) and attnum > 0 and not attisdropped`;
  return new Map(rows.map((row) => [row.name, row.type]));
}

async function behind(sql: Sql, after: Place | undefined): Promise<{ where: string; values: string[] }> {
  if (after === undefined) return { where: "", values: [] };
  const type = (await columnsOf(sql, READINGS_TABLE)).get("timestamp");
  return {
    where: `where (timestamp, id) > ($1::text::${type}, $2::text::bigint) or timestamp is null`,
    values: [after.timestamp, after.id],
  };
}

function need(columns: ReadonlyMap<string, string>, table: string, names: readonly string[]): void {
  if (columns.size === 0) throw new Error(`The database has no table ${table}: is it the one of the old platform?`);
  const missing = names.filter((name) => !columns.has(name));
  if (missing.length === 0) return;
  throw new Error(`The table ${table} has no column ${missing.join(", ")}; it has ${[...columns.keys()].join(", ")}.`);
}
