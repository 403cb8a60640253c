/**
 * `node bench/spark.ts [--quick] [--only rescore|windows]`: windows and rescoring on Spark with one and two executor cores, beside the same work in one
 * process, in one run; and what each stage of a rescoring adds. Ratios are to the line named.
 */
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { Sql } from "postgres";
import { jdbcOptions } from "../server/offline-scoring/engines.ts";
import {
  forget,
  LOCAL_SCORER,
  localEngine,
  openBatchSql,
  rescoreHistory,
  SparkSession,
  sparkEngine,
} from "../server/offline-scoring/index.ts";
import { compareWindows, fill, type Plant, startPlant } from "../test/spark/plant.ts";
import { type SparkTools, sparkNeeds, sparkTools, startSparkServer, submit } from "../test/spark/tools.ts";
import { kafkaNeeds } from "../testing/kafka.ts";
import { runScript } from "../testing/script.ts";
import { temporaryFolder } from "./database.ts";

const quick = process.argv.includes("--quick");
const only = process.argv[process.argv.indexOf("--only") + 1];
const parts = only === "rescore" || only === "windows" ? [only] : ["rescore", "windows"];
const sensors = quick ? 400 : 2000;
const readings = quick ? 500 : 1000;
const startUs = (Math.floor(Date.now() / 86_400_000) - 1) * 86_400_000_000 + 3_600_000_000;
const job = join(import.meta.dirname, "../deploy/spark/windows.py");

const rates = new Map<string, number>();
/** A line with the rate, and its ratio to another line's. */
function line(name: string, count: number, seconds: number, beside?: string): void {
  const rate = count / seconds;
  rates.set(name, rate);
  const other = beside === undefined ? undefined : rates.get(beside);
  const ratio = other === undefined ? "" : `  ${(rate / other).toFixed(2)} × ${beside}`;
  console.log(
    `${name.padEnd(46)} ${seconds.toFixed(1).padStart(7)} s ${Math.round(rate).toLocaleString("en-US").padStart(10)}/s${ratio}`,
  );
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return (performance.now() - started) / 1000;
}

async function main(): Promise<number> {
  const { model } = cpus()[0]!;
  console.log(
    `${model}, ${availableParallelism()} cores, Node ${process.version}; ${sensors} sensors of ${readings} readings`,
  );
  const tools = await sparkTools();
  const { path: folder } = await temporaryFolder();
  const plant = await startPlant();
  const sql = openBatchSql(plant.environment.DATABASE_URL);
  await fill(plant, { sensors, readings, startUs });
  await plant.platform.stop(); // what is measured has the machine to itself
  const [row] = await sql`select sum(readings)::bigint as readings from series`;
  const stored = row!.readings as number;
  if (parts.includes("rescore")) await rescoring(plant, tools, sql, stored);
  if (parts.includes("windows")) await windows(plant, tools, folder, stored);
  await sql.end();
  await plant.stop();
  return 0;
}

await runScript({ name: "node bench/spark.ts", needs: [...sparkNeeds, ...kafkaNeeds, "ps", "flock"] }, main);

async function rescoring({ environment }: Plant, spark: SparkTools, db: Sql, stored: number): Promise<void> {
  const wish = { fromUs: undefined, untilUs: undefined, modelFile: undefined, runtime: "js", threshold: 0.9 };
  const run = async (engine: ReturnType<typeof localEngine>) => {
    const found = await rescoreHistory(
      { ...wish, alarmsPerSensorDay: 0.1, parts: 1 },
      {
        sql: db,
        address: environment.DATABASE_URL,
        engine,
        nowUs: Date.now() * 1000,
        events: { started: () => {}, progress: () => {}, finished: () => {} },
        logger: pino({ level: "silent" }),
      },
    );
    await forget(db, [found.id]);
  };
  await run(localEngine(db)); // moves small blocks to rest, and warms the code
  line("rescore, this process, one core", stored, await seconds(() => run(localEngine(db))));
  for (const cores of [1, 2]) {
    const server = await startSparkServer(spark, environment, cores);
    const options = { remote: server.remote, databaseUrl: environment.DATABASE_URL, scorer: LOCAL_SCORER };
    const engine = sparkEngine({ ...options, tasks: cores });
    const name = `rescore, Spark, ${cores} executor core${cores > 1 ? "s" : ""}`;
    await run(engine); // the first job compiles its code
    line(name, stored, await seconds(() => run(engine)), "rescore, this process, one core");
    if (cores === 2) await stages(server.remote, environment.DATABASE_URL, stored, name);
    await engine.close();
    await server.process.kill();
  }
}

/** The stages of a rescoring one behind the other, each run from the beginning with nothing done with its rows. */
async function stages(remote: string, databaseUrl: string, stored: number, whole: string): Promise<void> {
  const session = new SparkSession(remote);
  await session.configure({ "spark.sql.shuffle.partitions": "2", "spark.sql.adaptive.enabled": "false" });
  const dbtable = `(select s.sensor_id, s.partition, b.first_us, b.data from block b join series s on s.id = b.series) source`;
  const predicates = [0, 1].map((i) => `rescore_part_of(sensor_id || ' ', 2) = ${i}`);
  const options = { ...jdbcOptions(databaseUrl), dbtable, fetchsize: "256" };
  const readType = { case: "dataSource", value: { format: "jdbc", options, predicates } } as const;
  await session.createView("source", { relType: { case: "read", value: { readType } } });
  const sorted =
    "select *, translate(base64(data), '\\r\\n', '') as text from source distribute by sensor_id sort by partition, sensor_id, first_us";
  const pipe = (
    program: string,
  ) => `select transform (text) row format delimited fields terminated by '\\t' using '${program}'
    as (text string) row format delimited fields terminated by '\\t' from (${sorted})`;
  const steps: [string, string][] = [
    ["  read from PostgreSQL", "select * from source"],
    ["  and brought together and sorted by sensor", sorted],
    ["  and piped through a process (cat)", pipe("cat")],
  ];
  for (const [name, query] of steps) {
    const work = () => session.append({ relType: { case: "sql", value: { query } } }, "noop", {});
    await work();
    line(name, stored, await seconds(work), whole);
  }
  await session.close();
}

async function windows({ environment }: Plant, spark: SparkTools, folder: string, stored: number): Promise<void> {
  const timesOf = new Map<number, Record<string, number>>();
  for (const cores of [1, 2]) {
    const settings = { CHECKPOINT_DIR: join(folder, `checkpoint-${cores}`), RECORDS_PER_BATCH: "40", ONCE: "1" };
    const running = submit(spark, ["--master", `local[${cores}]`, job], { ...environment, ...settings });
    if ((await running.ended) !== 0) throw new Error(running.lines.slice(-30).join("\n"));
    const batches = running.lines.filter((l) => l.includes('"progress"')).map((l) => JSON.parse(l));
    const sums: Record<string, number> = {};
    for (const { ms } of batches) for (const [k, v] of Object.entries(ms)) sums[k] = (sums[k] ?? 0) + (v as number);
    timesOf.set(cores, sums);
    line(`windows, Spark, ${cores} executor core${cores > 1 ? "s" : ""}`, stored, sums.triggerExecution! / 1000);
  }
  line(
    "windows, blocks unpacked here, SQL in PostgreSQL",
    stored,
    await seconds(() => compareWindows(environment.DATABASE_URL)),
  );
  console.log("milliseconds of the windows' micro-batches:", Object.fromEntries(timesOf));
}
