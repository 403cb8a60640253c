/** What does the work of a rescoring, part by part: this process, or Spark. */
import { fileURLToPath } from "node:url";
import type { Sql } from "postgres";
import { History } from "../backtest/history.ts";
import { StartupError } from "../errors.ts";
import { CopyBuffer, copyIn, putInt32, putInt64 } from "../postgres/copy.ts";
import { rescore, type SourceBlock } from "./blocks.ts";
import { BLOCK_COLUMNS, seriesOf } from "./lines.ts";
import { detectorOf, type RescoreRun, sourceSql } from "./run.ts";
import { type Relation, SparkSession } from "./spark.ts";

export interface Engine {
  /** Fills `rescored_block` with the part; it is empty there before. `onProgress` hears of shares of the part, 0 to 1. */
  part(run: RescoreRun, part: number, onProgress: (share: number) => void): Promise<void>;
  close(): Promise<void>;
}

/** Rows of the source read at once: 2 MB where blocks are full. */
const FETCH_ROWS = 256;
/** Bytes of new blocks written at once. */
const WRITE_BYTES = 4 * 1024 * 1024;

/** In this process, on one core. */
export function localEngine(sql: Sql): Engine {
  const history = new History(sql);
  return {
    async part(run, part, onProgress) {
      const source = sourceSql(run, part);
      const [count] = await sql.unsafe(`select count(*)::int as blocks from (${source}) s`);
      const total = count!.blocks as number;
      let seen = 0;
      async function* blocks(): AsyncGenerator<SourceBlock> {
        const rows = sql.unsafe(`select * from (${source}) s order by partition, sensor_id collate "C", first_us`);
        for await (const portion of rows.cursor(FETCH_ROWS)) {
          for (const row of portion) {
            yield {
              partition: row.partition,
              seriesId: row.series,
              series: seriesOf(row.series_json),
              firstUs: row.first_us,
              lastUs: row.last_us,
              firstId: row.first_id,
              points: row.points,
              wanted: row.wanted === 1,
              data: row.data,
            };
          }
          seen += portion.length;
          onProgress(seen / total);
        }
      }
      let copy = new CopyBuffer(WRITE_BYTES);
      const write = async () => {
        const statement = "copy rescored_block (run, part, series, first_us, last_us, points, anomalies, model, data)";
        const full = copy;
        copy = new CopyBuffer(WRITE_BYTES);
        await copyIn(sql, `${statement} from stdin with (format binary)`, [full.finish()]);
      };
      await rescore(blocks(), {
        createDetector: await detectorOf(run),
        timeline: (partition) => history.loggedTimeline(partition),
        emit: async (block) => {
          const b = copy.reserve(2 + 6 * 8 + 2 * 12 + 4 + block.data.length);
          let at = b.writeInt16BE(9, copy.position);
          for (const n of [run.id, part, block.seriesId]) at = putInt32(b, at, n);
          for (const n of [block.firstUs, block.lastUs]) at = putInt64(b, at, n);
          for (const n of [block.points, block.anomalies, run.model]) at = putInt32(b, at, n);
          at = b.writeInt32BE(block.data.length, at);
          b.set(block.data, at);
          copy.advance(at + block.data.length);
          if (copy.position >= WRITE_BYTES) await write();
        },
      });
      await write();
    },
    close: async () => {},
  };
}

export interface SparkOptions {
  /** As SPARK_REMOTE. */
  readonly remote: string;
  /** PostgreSQL as Spark's workers reach it. */
  readonly databaseUrl: string;
  /** Command that starts `pipe.ts` (a backtest: `backtest-pipe.ts`) where Spark's workers run. */
  readonly scorer: string;
  /** Tasks of a part: each is a process of the scorer. */
  readonly tasks: number;
}

/** On a worker of the same machine. */
export const LOCAL_SCORER = `${process.execPath} ${fileURLToPath(new URL("pipe.ts", import.meta.url))}`;
/** The same for a backtest. */
export const LOCAL_BACKTEST = `${process.execPath} ${fileURLToPath(new URL("backtest-pipe.ts", import.meta.url))}`;

/**
 * On Spark: workers read the part's blocks from PostgreSQL, a shuffle brings each sensor's together in the order of time, and they go
 * through the scorer's processes and back into PostgreSQL.
 */
export function sparkEngine(options: SparkOptions): Engine {
  const session = new SparkSession(options.remote);
  const connection = jdbcOptions(options.databaseUrl);
  let configured: Promise<void> | undefined;
  return {
    async part(run, part, onProgress) {
      configured ??= session.configure({
        "spark.sql.shuffle.partitions": String(options.tasks),
        // It would put small partitions together, and with them the processes.
        "spark.sql.adaptive.enabled": "false",
      });
      await configured;
      const view = `history_${run.id}_${part}`;
      await session.createView(view, historyOf(run, part, options.tasks, connection));
      const rescored = {
        relType: { case: "sql", value: { query: rescoreSql(run, part, view, options.scorer) } },
      } as const;
      const table = { ...connection, dbtable: "rescored_block", batchsize: "500" };
      await session.append(rescored, "jdbc", table, ({ done, of }) => onProgress(of === 0 ? 0 : done / of));
    },
    close: () => session.close(),
  };
}

/** The part's blocks, read in as many slices as there are tasks. */
function historyOf(run: RescoreRun, part: number, tasks: number, connection: Record<string, string>): Relation {
  const options = { ...connection, dbtable: `(${sourceSql(run, part)}) source`, fetchsize: String(FETCH_ROWS) };
  const predicates = Array.from({ length: tasks }, (_, i) => `rescore_part_of(sensor_id || ' ', ${tasks}) = ${i}`);
  const value = { readType: { case: "dataSource", value: { format: "jdbc", options, predicates } } } as const;
  return { relType: { case: "read", value } };
}

function rescoreSql(run: RescoreRun, part: number, view: string, scorer: string): string {
  const columns = "series string, first_us string, last_us string, points string, anomalies string, data string";
  return `
    select ${run.id} as run, ${part} as part, int(series) as series, bigint(first_us) as first_us, bigint(last_us) as last_us,
      int(points) as points, int(anomalies) as anomalies, ${run.model} as model, unbase64(data) as data
    from (${pipedSql(view, `${scorer} ${run.id}`, columns)})`;
}

/** Blocks of a view through a program, each sensor's together and in the order of time. `columns`: of what the program writes. */
export function pipedSql(view: string, program: string, columns: string): string {
  const text = `'${program.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  return `
    select transform (${BLOCK_COLUMNS})
      row format delimited fields terminated by '\\t'
      using ${text}
      as (${columns})
      row format delimited fields terminated by '\\t'
    from (
      select * except (data), translate(base64(data), '\\r\\n', '') as data
      from ${view} distribute by sensor_id sort by partition, sensor_id, first_us)`;
}

/** Spark's options for a PostgreSQL address. Throws StartupError where JDBC cannot use it. */
export function jdbcOptions(databaseUrl: string): Record<string, string> {
  const url = new URL(databaseUrl);
  const host = decodeURIComponent(url.hostname);
  if (host === "" || host.startsWith("/")) {
    throw new StartupError(
      "DATABASE_URL is a socket's folder, which Spark's workers cannot use: give a host and a port",
    );
  }
  return {
    url: `jdbc:postgresql://${url.hostname}:${url.port || "5432"}${url.pathname}${url.search}`,
    driver: "org.postgresql.Driver",
    user: decodeURIComponent(url.username),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
  };
}
