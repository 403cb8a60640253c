import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import committed from "../../ml/model/forecaster.json" with { type: "json" };
import { History } from "../../server/backtest/history.ts";
import { SensorReplay } from "../../server/backtest/replay.ts";
import { rerun } from "../../server/backtest/rerun.ts";
import { encodeFragment, encodeRecord, type Run } from "../../server/log/record/encode.ts";
import {
  forget,
  LOCAL_SCORER,
  localEngine,
  openBatchSql,
  type RescoreEvents,
  type RescoreRun,
  rescoreHistory,
  sparkEngine,
} from "../../server/offline-scoring/index.ts";
import { detectorOf } from "../../server/offline-scoring/run.ts";
import type { Rows } from "../../server/scoring/rows.ts";
import { decodeBlock } from "../../server/store/block.ts";
import { createPoints, MARK_LATE } from "../../server/store/points.ts";
import { runCliWith } from "../../testing/cli.ts";
import { kafkaNeeds } from "../../testing/kafka.ts";
import { describeWith } from "../../testing/needs.ts";
import { allReadings } from "../../testing/readings.ts";
import { compareWindows, fill, type Plant, startPlant } from "./plant.ts";
import { makeStubs } from "./stubs.ts";
import {
  pythonFrom,
  type SparkServer,
  type SparkTools,
  sparkNeeds,
  sparkTools,
  startSparkServer,
  submit,
} from "./tools.ts";

const deploy = join(import.meta.dirname, "../../deploy/spark");
const job = join(deploy, "windows.py");
const stubs = join(deploy, "gen");
/** 2,000 sensors of 1,000 readings each with TELLTALE_SPARK_FULL=1; a hundredth of that by itself. */
const full = process.env.TELLTALE_SPARK_FULL === "1";
const sensors = full ? 2000 : 100;
const readings = full ? 1000 : 200;
/** Yesterday, one in the morning: a day that is over. */
const startUs = (Math.floor(Date.now() / 86_400_000) - 1) * 86_400_000_000 + 3_600_000_000;
/** Micro-batches that the streaming job makes of the readings: two of them before it is killed, the others after. */
const BATCHES = full ? 40 : 4;
/** Many anomalies, so that a difference would show. */
const budget = 5;

describeWith([...kafkaNeeds, ...sparkNeeds], "history on Spark", () => {
  const jvm = { JVM_SHORT_RUN: full ? "0" : "1" };
  let plant: Plant;
  let tools: SparkTools;
  let server: SparkServer;
  let folder: string;
  let sql: Sql;
  /** Records of the log once all readings are in it. */
  let filled: number;

  beforeAll(async () => {
    folder = await mkdtemp("/tmp/telltale-spark-");
    [tools, plant] = await Promise.all([sparkTools(), startPlant({ ALARMS_PER_SENSOR_DAY: String(budget) })]);
    sql = openBatchSql(plant.environment.DATABASE_URL);
    [server, filled] = await Promise.all([
      startSparkServer(tools, { ...plant.environment, ...jvm }),
      fill(plant, { sensors, readings, startUs }).then(logged),
    ]);
  }, 600_000);
  afterAll(async () => {
    await server?.process.kill();
    await sql?.end();
    await plant?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("gives windows the figures that SQL gives over what is stored, also after kill -9 in the middle", async () => {
    const start = (records: number) =>
      submit(tools, ["--master", "local[2]", job], {
        ...plant.environment,
        ...jvm,
        CHECKPOINT_DIR: join(folder, "checkpoint"),
        RECORDS_PER_BATCH: String(records),
        ONCE: "1",
      });
    const first = start(Math.ceil(filled / BATCHES));
    await first.line(/"batch": 1,/);
    await first.kill();
    // What follows the readings is a time record a second and partition, more of them the longer Spark takes to start.
    const second = start(Math.ceil((2 * (await logged())) / BATCHES));
    expect(await second.ended, second.lines.slice(-30).join("\n")).toBe(0);
    const { wanted, differing, example } = await compareWindows(plant.environment.DATABASE_URL);
    expect(wanted).toBeGreaterThan(sensors);
    expect(differing, JSON.stringify(example)).toBe(0);
    const [sums] = await sql`select sum(readings)::int as readings, sum(anomalies)::int as anomalies
      from window_stats where kind = 'sensor' and width_s = 60`;
    const [stored] = await sql`select sum(readings)::int as readings, sum(anomalies)::int as anomalies from series`;
    expect(sums).toEqual(stored);
    expect(stored!.anomalies).toBeGreaterThan(0);
  }, 600_000);

  it("scores the same history to the bit as live, and after kill -9 of Spark goes on where it was", async () => {
    const wish = { ...everything, parts: 3 };
    const killed = await rescore(wish, { finished: () => void server.process.kill() }).catch((error: Error) => error);
    expect(killed).toBeInstanceOf(Error);
    server = await startSparkServer(tools, { ...plant.environment, ...jvm });
    const parts: number[] = [];
    const run = await rescore(wish, { finished: (part) => parts.push(part) });
    expect(parts).toEqual([1, 2]);
    const [found] = await sql`
      select count(*)::int as blocks, sum(r.points)::int as readings, count(*) filter (where r.data <> b.data)::int as differing
      from block b left join rescored_block r on r.run = ${run.id} and r.series = b.series and r.first_us = b.first_us`;
    const [stored] = await sql`select sum(readings)::int as readings from series`;
    expect(found).toMatchObject({ readings: stored!.readings, differing: 0 });
    expect(found!.blocks).toBeGreaterThanOrEqual(sensors);
  }, 300_000);

  it("scores by another model as a backtest does, is read after the switch, and is switched back", async () => {
    const file = join(folder, "other.json");
    const modelFile = JSON.stringify({ ...committed, name: "other", bias: committed.bias.map((b) => b + 0.25) });
    await writeFile(file, modelFile);
    const before = await digest();
    const environment = { ...plant.environment, SPARK_REMOTE: server.remote, ALARMS_PER_SENSOR_DAY: String(budget) };
    const cli = runCliWith(environment, "rescore", "--model", file, "--tasks", "2");
    expect(await cli.ended, cli.stderr()).toBe(0);
    const run = Number(/--switch-run (\d+)/.exec(cli.stdout())![1]);
    expect(cli.stderr()).toMatch(/part 0 is scored: \d+ readings/);

    expect(await digest()).not.toBe(before);
    let differing = 0;
    const history = new History(sql);
    const createDetector = await detectorOf({ ...settings, modelFile });
    for (const sensor of await history.sensors(["sensor-1", "sensor-7", "sensor-9", "sensor-13"], 10)) {
      const wanted = new Map<number, string>();
      const take = ({ points: p }: Rows) => {
        for (let i = 0; i < p.length; i++) wanted.set(p.id[i]!, verdict(p, i));
      };
      const { partition } = sensor;
      const replay = new SensorReplay({ detector: createDetector(), partition, onRows: take });
      const pages = history.pages(sensor, sensor.firstUs, sensor.newestUs);
      await rerun(replay, pages, await history.timeline(partition));
      for (const row of await sql`select * from block where series in ${sql(sensor.series.map((s) => s.id))}`) {
        const points = createPoints(row.points);
        decodeBlock(row.data, row.first_us, row.first_id, points);
        for (let i = 0; i < points.length; i++) {
          if ((points.mark[i]! & MARK_LATE) === 0 && wanted.get(points.id[i]!) !== verdict(points, i)) differing++;
        }
      }
      expect(wanted.size).toBeGreaterThanOrEqual(readings);
    }
    expect(differing).toBe(0);
    const [newest] = await allReadings(plant.platform.grpc, "sensor-1");
    expect(newest?.modelVersion).toBe("other+js");
    await expectAllIsWell();

    const back = runCliWith(environment, "rescore", "--switch-run", String(run));
    expect(await back.ended, back.stderr()).toBe(0);
    expect(await digest()).toBe(before);
    await expectAllIsWell();
  }, 300_000);

  it("scores on Spark what it scores in one process", async () => {
    const wish = { ...everything, threshold: 0.9, parts: 2 };
    const found = new Set<string>();
    for (const kind of ["local", "spark"] as const) {
      const { id } = await rescore(wish, {}, kind);
      const [row] = await sql`select count(*)::int as blocks, sum(points)::int as readings,
        md5(string_agg(md5(data), '' order by series, first_us)) as digest from rescored_block where run = ${id}`;
      expect(row!.readings).toBeGreaterThan(sensors * readings);
      found.add(JSON.stringify(row));
      await forget(sql, [id]);
    }
    expect(found.size).toBe(1);
  }, 300_000);

  it("plays a backtest on Spark to the same alerts and sums as the platform does", async () => {
    const asked = ["--threshold", "0.8", "--range-max", "27", "--json"];
    const spark = runCliWith(
      { ...plant.environment, SPARK_REMOTE: server.remote, ALARMS_PER_SENSOR_DAY: String(budget) },
      ...["backtest", "--engine", "spark", "--tasks", "2", ...asked],
    );
    expect(await spark.ended, spark.stderr()).toBe(0);
    const platform = runCliWith({}, "backtest", "--url", plant.platform.grpc, ...asked);
    expect(await platform.ended, platform.stderr()).toBe(0);
    expect(spark.stdout().split("\n").length).toBeGreaterThan(10);
    expect(spark.stdout()).toBe(platform.stdout());
    const sums = (said: string) => said.split("\n").filter((line) => !/\/s$|readings$|^$|^\d+\//.test(line));
    expect(sums(spark.stderr())).toEqual(sums(platform.stderr()));
    expect(sums(spark.stderr()).join()).toMatch(/alerts/);
  }, 300_000);

  const settings = { modelFile: undefined, runtime: "js", threshold: 0.95, alarmsPerSensorDay: budget };
  const everything = { ...settings, fromUs: undefined, untilUs: undefined };

  async function rescore(
    wish: Parameters<typeof rescoreHistory>[0],
    events: Partial<RescoreEvents> = {},
    kind: "local" | "spark" = "spark",
  ): Promise<RescoreRun> {
    const databaseUrl = plant.environment.DATABASE_URL;
    const options = { remote: server.remote, databaseUrl, scorer: LOCAL_SCORER, tasks: 2 };
    const engine = kind === "local" ? localEngine(sql) : sparkEngine(options);
    try {
      return await rescoreHistory(wish, {
        sql,
        address: databaseUrl,
        engine,
        nowUs: Date.now() * 1000,
        events: { started: () => {}, progress: () => {}, finished: () => {}, ...events },
        logger: pino({ level: "silent" }),
      });
    } finally {
      await engine.close();
    }
  }

  async function logged(): Promise<number> {
    const [log] = await sql`select sum(next_offset)::int as records from log_partition`;
    return log!.records as number;
  }

  /** Of everything that a score is in. */
  async function digest(): Promise<string> {
    const [row] = await sql`select md5(string_agg(t, '' order by t)) as digest from (
      select concat_ws(' ', series, first_us, model, anomalies, md5(data)) as t from block
      union all select concat_ws(' ', id, anomalies, last_score, last_anomaly) from series
      union all select concat_ws(' ', width, series, bucket_us, anomalies) from rollup
      union all select concat_ws(' ', partition, anomalies) from log_partition) s`;
    return row!.digest as string;
  }

  async function expectAllIsWell(): Promise<void> {
    const fsck = runCliWith(plant.environment, "fsck");
    expect(await fsck.ended, fsck.stdout()).toBe(0);
  }
});

describeWith(["python3"], "the log's records in Python", () => {
  it("come out in order, each reading once; without a time it is known by its place in its batch", async () => {
    const bin = await pythonFrom("requirements.txt");
    const timed = [record(100, "a", 1n, [run("s", [10, 20], [1, 2])]), record(101, "a", 2n, [run("s", [20], [9])])];
    const untimed = record(200, "a", 3n, [run("s", undefined, [5, 6])]);
    const resent = record(300, "a", 3n, [run("s", undefined, [5, 6])]);
    const nameless = record(400, "", 0n, [run("s", undefined, [5])]);
    const script = `
import json, sys
from telltale_spark.records import decode
messages = [bytes.fromhex(line) for line in sys.argv[1:]]
set_aside = frozenset(tuple(key) for key in json.loads(sys.stdin.read()))
batch = decode((0, offset, message) for offset, message in enumerate(messages)).batch(set_aside)
columns = (batch.column(name).to_pylist() for name in ("observed_us", "value", "identity"))
print(json.dumps([(us, value, str(identity)) for us, value, identity in zip(*columns)]))`;
    const decode = async (records: Uint8Array[], setAside: readonly (readonly [number, number, number])[] = []) => {
      const args = ["-c", script, ...records.map((bytes) => Buffer.from(bytes).toString("hex"))];
      const started = promisify(execFile)(join(bin, "python3"), args, {
        env: { ...process.env, PYTHONPATH: `${deploy}:${stubs}` },
      });
      started.child.stdin!.end(JSON.stringify(setAside));
      const { stdout } = await started;
      return JSON.parse(stdout) as [us: number, value: number, identity: string][];
    };
    const found = await decode([...timed, untimed, resent, nameless, nameless]);
    expect(found.map(([us, value]) => [us, value])).toEqual([
      [10, 1],
      [20, 2],
      [200, 5],
      [201, 6],
      [400, 5],
      [400, 5],
    ]);
    expect(found.slice(0, 2).map((r) => r[2])).toEqual(["10", "20"]);
    expect(new Set(found.map((r) => r[2])).size).toBe(6);
    // What the platform has set aside is left out: a reading, a record, and bytes that are no record.
    const some = await decode(
      [...timed, Buffer.from("{"), untimed],
      [
        [0, 0, 1],
        [2, -2, 0],
        [3, -2, 0],
      ],
    );
    expect(some.map(([us, value]) => [us, value])).toEqual([
      [10, 1],
      [20, 9],
    ]);
    await expect(decode([Buffer.from("{")])).rejects.toThrow(
      /record 0 cannot be read, and it is not in the quarantine/,
    );
    const newer = Buffer.from(untimed);
    newer[1] = 7;
    await expect(decode([newer])).rejects.toThrow(/layout 7, this program reads 1: run the newer program/);
  }, 300_000);

  it("are those of proto/; npm run generate:spark makes them", async () => {
    const out = await mkdtemp("/tmp/telltale-stubs-");
    try {
      await makeStubs(out);
      const made = join(out, "deploy/spark/gen");
      const names = async (from: string) =>
        (await readdir(from, { recursive: true })).filter((name) => name.endsWith("_pb2.py")).sort();
      expect(await names(made)).toEqual(await names(stubs));
      for (const name of await names(made)) {
        const [kept, now] = [join(stubs, name), join(made, name)].map((file) => readFile(file, "utf8"));
        expect((await kept) === (await now), `${name} is not of these contracts`).toBe(true);
      }
    } finally {
      await rm(out, { recursive: true });
    }
  }, 300_000);
});

function run(sensorId: string, times: number[] | undefined, values: number[]): Run {
  const key = toBinary(SeriesKeySchema, create(SeriesKeySchema, { sensorId, sensorType: "t", unit: "C" }));
  const latin1 = Buffer.from(key).toString("latin1");
  return {
    key: latin1,
    firstIndex: 0,
    times,
    values,
    metadata: undefined,
    attributes: undefined,
  };
}

function record(receivedAtUs: number, producer: string, sequence: bigint, runs: Run[]): Uint8Array {
  const head = { producer, epoch: 1n, sequence, traceparent: "", echo: false };
  return encodeRecord(receivedAtUs, [encodeFragment(head, runs)]);
}

function verdict(p: ReturnType<typeof createPoints>, i: number): string {
  const spoken = p.anomaly[i] === 1 ? [p.score[i], p.reason[i]] : [];
  return [p.confidence[i], p.anomaly[i], ...spoken, p.expected[i], p.band[i]].join(" ");
}
