/** The platform on a real broker and database, with a history in it for Spark to work on. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres, { type Sql } from "postgres";
import { type Request, runStreams } from "../../bench/load.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { CopyBuffer, copyIn, putInt32, putInt64 } from "../../server/postgres/copy.ts";
import { decodeBlock } from "../../server/store/block.ts";
import { createPoints, MAX_BLOCK_POINTS } from "../../server/store/points.ts";
import { startKafka, type TestKafka } from "../../testing/kafka.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

export interface Plant {
  readonly kafka: TestKafka;
  readonly postgres: TestPostgres;
  readonly platform: Platform;
  readonly sql: Sql;
  /** As the platform and the jobs take them. */
  readonly environment: { readonly KAFKA_BOOTSTRAP_SERVERS: string; readonly DATABASE_URL: string };
  stop(): Promise<void>;
}

export async function startPlant(settings: NodeJS.ProcessEnv = {}): Promise<Plant> {
  const [kafka, database] = await Promise.all([startKafka(), startPostgres()]);
  const environment = { KAFKA_BOOTSTRAP_SERVERS: kafka.brokers.join(","), DATABASE_URL: database.url };
  const platform = await startPlatform({ ...environment, KAFKA_PARTITIONS: "4", ...settings }).catch(async (error) => {
    await Promise.all([kafka.stop(), database.stop()]);
    throw error;
  });
  const sql = postgres(database.url, { max: 2, onnotice: () => {} });
  // Readings of one type wait a moment to be put in order.
  const detector = createClient(DetectorService, createGrpcTransport({ baseUrl: platform.grpc }));
  await detector.setDetectorConfig({ config: { sensorType: "flow", reorderHoldMs: 300 } });
  return {
    kafka,
    postgres: database,
    platform,
    sql,
    environment,
    stop: async () => {
      await sql.end();
      await platform.stop();
      await Promise.all([kafka.stop(), database.stop()]);
    },
  };
}

export interface History {
  readonly sensors: number;
  /** Readings of each sensor, a multiple of BLOCK. */
  readonly readings: number;
  /** Microseconds since 1970 of the first reading. */
  readonly startUs: number;
}

const BLOCK = 50;
const STEP_US = 2_000_000;
const STREAMS = 4;
const BLOCKS_PER_BATCH = 25;

/**
 * Readings of every sensor each two seconds, block by block in the order of time: a wave with noise and now and then a spike. Some
 * blocks come twice, some the second time with other values, and a few readings come late.
 */
function roundStreams({ sensors, startUs }: History, round: number): (() => Generator<Request>)[] {
  return Array.from(
    { length: STREAMS },
    (_, stream) =>
      function* () {
        for (let first = stream; first < sensors; first += STREAMS * BLOCKS_PER_BATCH) {
          const blocks = [];
          for (let k = 0; k < BLOCKS_PER_BATCH && first + k * STREAMS < sensors; k++) {
            const sensor = first + k * STREAMS;
            blocks.push(block(sensor, round, startUs));
            if (sensor % 10 === 3 && round > 0) blocks.push(block(sensor, round - 1, startUs));
            if (sensor % 50 === 7 && round > 0) blocks.push(block(sensor, round - 1, startUs, 1));
            if (sensor % 50 === 9 && round > 0) blocks.push(block(sensor, round - 1, startUs + STEP_US / 2, 0, 10));
          }
          yield { blocks };
        }
      },
  );
}

function block(sensor: number, round: number, startUs: number, shift = 0, points = BLOCK) {
  const random = noise(sensor * 1000 + round + 1);
  const at = round * BLOCK;
  return {
    sensorId: `sensor-${sensor}`,
    sensorType: ["temperature", "pressure", "flow"][sensor % 3]!,
    unit: "C",
    ...(sensor % 7 === 0 ? {} : { location: `hall-${sensor % 20}` }),
    baseTimeUs: BigInt(startUs + at * STEP_US),
    timeDeltasUs: Array.from({ length: points }, (_, i) => (i === 0 ? 0 : STEP_US)),
    values: Array.from({ length: points }, (_, i) => {
      const spike = (sensor * 31 + at + i) % 487 === 0 ? 40 : 0;
      return Math.round(2150 + 300 * Math.sin((at + i + sensor) / 50) + 40 * random() + 100 * (spike + shift)) / 100;
    }),
  };
}

/** A small fixed generator: the same noise everywhere. */
function noise(seed: number): () => number {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296 - 0.5;
  };
}

/** Sends a history, round by round, and waits until all of it is stored. */
export async function fill(plant: Plant, history: History): Promise<void> {
  for (let round = 0; round < history.readings / BLOCK; round++) {
    await runStreams(plant.platform.grpc, roundStreams(history, round));
  }
}

/** The stored readings in a table of plain rows, for SQL to compute with. */
async function unpack(sql: Sql): Promise<void> {
  await sql.unsafe(`create temporary table reading
    (series int not null, observed_us bigint not null, value double precision not null, anomaly boolean not null)`);
  const points = createPoints(MAX_BLOCK_POINTS);
  const rows = sql`select series, first_us::text, first_id::text, data from block_new
    union all select series, first_us::text, first_id::text, data from block`;
  const portions: Buffer[] = [];
  for await (const portion of rows.cursor(500)) {
    const copy = new CopyBuffer(1 << 20);
    for (const { series, first_us, first_id, data } of portion) {
      points.length = 0;
      decodeBlock(data, Number(first_us), Number(first_id), points);
      for (let i = 0; i < points.length; i++) {
        const b = copy.reserve(2 + 8 + 12 + 12 + 5);
        let at = b.writeInt16BE(4, copy.position);
        at = putInt32(b, at, series);
        at = putInt64(b, at, points.timeUs[i]!);
        at = b.writeInt32BE(8, at);
        at = b.writeDoubleBE(points.value[i]!, at);
        at = b.writeInt32BE(1, at);
        copy.advance(b.writeInt8(points.anomaly[i]!, at));
      }
    }
    portions.push(Buffer.from(copy.finish()));
  }
  for (const portion of portions) await copyIn(sql, "copy reading from stdin with (format binary)", [portion]);
}

/** The windows of the stored readings as PostgreSQL computes them, compared with those of the table. */
export async function compareWindows(url: string): Promise<{ wanted: number; differing: number; example: unknown }> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    await unpack(sql);
    await sql.unsafe(`
      set work_mem = '256MB';
      analyze reading;
      create temporary table wanted as
        select kind, key, width_s, 60 as slide_s, started_at, count(*) as readings, avg(value) as mean,
          min(value) as smallest, max(value) as largest, stddev_samp(value) as deviation,
          count(*) filter (where anomaly) as anomalies
        from reading join series on id = reading.series
        cross join lateral (values ('sensor', sensor_id), ('type', sensor_type), ('location', location)) k(kind, key)
        cross join lateral (
          select 60, to_timestamp((observed_us / 60000000) * 60)
          union all
          select 300, to_timestamp((observed_us / 60000000 - back) * 60) from generate_series(0, 4) back
        ) w(width_s, started_at)
        where key is not null group by 1, 2, 3, 4, 5;
      analyze wanted`);
    const [row] = await sql<{ wanted: number; differing: number; example: unknown }[]>`
      with pairs as (
        select w.readings as wanted, f.readings as found, to_jsonb(w) as w, to_jsonb(f) as f,
          w.readings = f.readings and w.smallest = f.smallest and w.largest = f.largest and w.anomalies = f.anomalies
          and abs(w.mean - f.mean) <= 1e-9 * abs(w.mean)
          and (w.deviation is not distinct from f.deviation or abs(w.deviation - f.deviation) <= 1e-9 * w.deviation) as same
        from wanted w full join window_stats f using (kind, key, width_s, slide_s, started_at))
      select count(wanted)::int as wanted, (count(*) filter (where same is not true))::int as differing,
        (array_agg(jsonb_build_array(w, f)) filter (where same is not true))[1] as example from pairs`;
    return row!;
  } finally {
    await sql.end();
  }
}
