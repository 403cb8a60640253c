/** A backtest on Spark: the same re-run as the platform's own, sensors spread over Spark's workers. */
import { create, fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { type BacktestResponse, BacktestResponseSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { RangeJob } from "../backtest/jobs.ts";
import { type Progress, summary } from "../backtest/range.ts";
import { noTotals } from "../backtest/summary.ts";
import { TelltaleError } from "../errors.ts";
import { jdbcOptions, pipedSql, type SparkOptions } from "./engines.ts";
import { deleteJob, saveJob } from "./jobs.ts";
import type { ScorerSettings } from "./run.ts";
import { type Relation, SparkSession } from "./spark.ts";

type Sums = Progress & { readonly ticks: number };
const FETCH_ROWS = "256";

/** Responses as of the RPC: alerts and what else is asked for, sensor by sensor, with progress; the summary last. */
export async function* backtestOnSpark(
  sql: Sql,
  range: RangeJob,
  scorer: ScorerSettings,
  options: SparkOptions,
): AsyncGenerator<BacktestResponse> {
  const total = await check(sql, range.sensorIds);
  const id = await saveJob(sql, { range, scorer });
  const session = new SparkSession(options.remote);
  try {
    await session.configure({
      "spark.sql.shuffle.partitions": String(options.tasks),
      "spark.sql.adaptive.enabled": "false",
    });
    const view = `backtest_${id}`;
    await session.createView(view, historyOf(id, range, options));
    const query = pipedSql(view, `${options.scorer} ${id}`, "kind string, data string");
    const all: Progress = { done: 0, total, totals: noTotals(), changed: 0, truncated: 0 };
    let ticks = 0;
    yield progress(all);
    for await (const { kind, data } of session.rows({ relType: { case: "sql", value: { query } } })) {
      if (kind === "sums") {
        const sums = JSON.parse(data as string) as Sums;
        add(all, sums);
        ticks += sums.ticks;
        yield progress(all);
      } else {
        const response = fromBinary(BacktestResponseSchema, Buffer.from(data as string, "base64"));
        yield { ...response, readingsDone: BigInt(all.done), readingsTotal: BigInt(total) };
      }
    }
    yield { ...progress(all), summary: summary(range, all, ticks) };
  } finally {
    await session.close();
    await deleteJob(sql, id);
  }
}

/** Readings of the sensors. Rejects with TelltaleError "invalid" where one has none. */
async function check(sql: Sql, sensorIds: readonly string[]): Promise<number> {
  const rows = await sql`select sensor_id, sum(readings)::bigint as readings from series where readings > 0
    ${sensorIds.length === 0 ? sql`` : sql`and sensor_id in ${sql(sensorIds as string[])}`} group by 1`;
  const found = new Set(rows.map((row) => row.sensor_id as string));
  const missing = sensorIds.find((id) => !found.has(id));
  if (missing !== undefined) throw new TelltaleError("invalid", `sensor ${JSON.stringify(missing)} has no reading`);
  return rows.reduce((sum, row) => sum + (row.readings as number), 0);
}

/** All blocks of the sensors, at rest or not: one statement for each task, so that a block is seen once wherever it is moved. */
function historyOf(id: number, { sensorIds, toUs }: RangeJob, o: SparkOptions): Relation {
  const before = Number.isFinite(toUs) ? `and b.first_us <= ${toUs}` : "";
  const wanted = `and s.sensor_id in (select jsonb_array_elements_text(job->'range'->'sensorIds') from batch_job where id = ${id})`;
  const dbtable = `(select s.partition, s.sensor_id, sensor_key(s.sensor_id) as sensor_key, b.series,
      json_build_object('sensorId', s.sensor_id, 'sensorType', s.sensor_type, 'unit', s.unit, 'location', s.location)::text
        as series_json,
      b.first_us, b.last_us, b.first_id, b.points::int as points, 1 as wanted, b.data
    from series s join (select series, first_us, last_us, first_id, points, data from block
      union all select series, first_us, last_us, first_id, points, data from block_new) b on b.series = s.id
    where true ${before} ${sensorIds.length === 0 ? "" : wanted}) source`;
  const options = { ...jdbcOptions(o.databaseUrl), dbtable, fetchsize: FETCH_ROWS };
  const predicates = Array.from({ length: o.tasks }, (_, i) => `rescore_part_of(sensor_key, ${o.tasks}) = ${i}`);
  return {
    relType: {
      case: "read",
      value: { readType: { case: "dataSource", value: { format: "jdbc", options, predicates } } },
    },
  };
}

function progress({ done, total }: Progress): BacktestResponse {
  return create(BacktestResponseSchema, { readingsDone: BigInt(done), readingsTotal: BigInt(total) });
}

function add(all: Progress, one: Progress): void {
  all.done += one.done;
  all.changed += one.changed;
  all.truncated += one.truncated;
  const longest = Math.max(all.totals.longestSeconds, one.totals.longestSeconds);
  for (const name of Object.keys(all.totals) as (keyof Progress["totals"])[]) all.totals[name] += one.totals[name];
  all.totals.longestSeconds = longest;
}
