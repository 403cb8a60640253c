/**
 * `npm run bench [-- --json FILE] [--quick] [--only NAME,…]`: rates, costs and latencies of the platform beside what the machine
 * itself gives, all in one run.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { Command } from "commander";
import { pino } from "pino";
import { startEmbeddedPostgres } from "../server/store/embedded-postgres.ts";
import { startKafka } from "../test/support/kafka.ts";
import { startPlatform } from "../test/support/platform.ts";
import { startPostgres } from "../test/support/postgres.ts";
import { startRedis } from "../test/support/redis.ts";
import { copyRows } from "./baseline.ts";
import { type Budget, measureBudget } from "./budget.ts";
import { measure, measureRecovery, measureSensors, measureUnary, type Run } from "./embedded.ts";
import { guard } from "./guard.ts";
import { measureLatencies } from "./latency.ts";
import { scoreCost } from "./score.ts";
import { storageRows } from "./storage.ts";
import { BlockLoad, SingleLoad } from "./workload.ts";

interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, and what it was made of. */
  readonly beside: Record<string, unknown>;
}

const options = new Command("bench")
  .description("Measures the platform beside its parts, on this machine, in this run.")
  .option("--json <file>", "write the rows as JSON")
  .option("--guard", "only compare the ratios of a short run with the committed ones; fails where one is below half")
  .option("--accept", "with --guard: commit to the ratios of this run")
  .option("--quick", "a tenth of the load: for a look, not for figures")
  .option("--only <parts>", "comma list of the parts", "baseline,score,embedded,kafka,budget,sensors,storage")
  .option("--stored <readings>", "readings stored for the times of queries", "10000000")
  .parse()
  .opts<{ json?: string; guard?: boolean; accept?: boolean; quick?: boolean; only: string; stored: string }>();

const parts = new Set(options.only.split(","));
const scale = options.quick ? 0.1 : 1;
const rows: Row[] = [];

function add(name: string, value: number, unit: string, beside: Record<string, unknown> = {}): void {
  const row = { name, value: Math.round(value * 1000) / 1000, unit, beside };
  rows.push(row);
  const shown = value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
  console.log(`${name.padEnd(28)} ${shown.padStart(12)} ${unit.padEnd(12)} ${JSON.stringify(beside)}`);
}

const ratio = (a: number, b: number | undefined) => (b === undefined ? undefined : Math.round((100 * a) / b) / 100);

interface Copies {
  readonly plain?: number;
  readonly keyed?: number;
}

async function baseline(): Promise<Copies> {
  const dataDir = await mkdtemp("/tmp/telltale-bench-");
  const postgres = await startEmbeddedPostgres({ dataDir, logger: pino({ level: "silent" }) });
  try {
    const count = 2_000_000 * scale;
    const plain = await copyRows({ ...postgres.address }, postgres.pid, count, false);
    const keyed = await copyRows({ ...postgres.address }, postgres.pid, count, true);
    add("copy_plain_per_s", plain.rowsPerSecond, "rows/s", { cpu_us: plain.cpuUsPerRow });
    add("copy_keyed_per_s", keyed.rowsPerSecond, "rows/s", { cpu_us: keyed.cpuUsPerRow });
    return { plain: plain.rowsPerSecond, keyed: keyed.rowsPerSecond };
  } finally {
    await postgres.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
}

function addRun(name: string, cpuName: string, run: Run, copies: Copies): void {
  add(name, run.perSecond, "readings/s", {
    copy_plain_ratio: ratio(run.perSecond, copies.plain),
    copy_keyed_ratio: ratio(run.perSecond, copies.keyed),
    cpu_seconds: run.cpu,
    load_cpu_us: Math.round(run.loadCpuUs * 100) / 100,
    readings: run.load.sent,
  });
  add(cpuName, run.cpuUs, "µs/reading", { load_cpu_us: Math.round(run.loadCpuUs * 100) / 100 });
}

async function addLatencies(name: string, url: string, sensors: BlockLoad, perSecond: number): Promise<void> {
  const l = await measureLatencies(url, sensors, perSecond, Math.max(5, 20 * scale));
  const beside = { at_readings_per_s: Math.round(l.perSecond), load_late_p99_ms: l.loadLateMs };
  add(`ack_p99_ms_${name}`, l.ackMs.p99, "ms", { ...beside, ack_ms: l.ackMs, settled_ms: l.settledMs });
  add(`alert_p99_ms_${name}`, l.alertMs.p99, "ms", { ...beside, alerts: l.alerts, alert_ms: l.alertMs });
}

async function embedded(copies: Copies): Promise<void> {
  const platform = await startPlatform();
  const pids = [platform.process.pid!];
  const sensors = new BlockLoad(10_000);
  try {
    // The first round meets every sensor for the first time; what comes after is what lasts.
    await measure(platform.grpc, pids, sensors.next(1));
    const blocks = await measure(platform.grpc, pids, sensors.next(Math.max(1, Math.round(4 * scale))));
    addRun("embedded_blocks_per_s", "cpu_us_embedded_blocks", blocks, copies);
    const singles = await measure(platform.grpc, pids, new SingleLoad(1000).next(Math.round(1000 * scale)));
    addRun("embedded_singles_per_s", "cpu_us_embedded_singles", singles, copies);
    const unary = await measureUnary(platform.grpc, pids, 16, Math.round(250 * scale) + 5);
    add("embedded_unary_per_s", unary.perSecond, "calls/s", { p99_ms: unary.p99Ms, cpu_us: unary.cpuUs });
    await addLatencies("embedded", platform.grpc, sensors, blocks.perSecond / 2);
  } finally {
    await platform.stop();
  }
}

/** The same process with a real broker, database and cache beside it. */
async function cluster(copies: Copies): Promise<void> {
  const [kafka, postgres, redis] = [await startKafka(), await startPostgres(), await startRedis()];
  const platform = await startPlatform({
    KAFKA_BOOTSTRAP_SERVERS: kafka.brokers.join(","),
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
  });
  const pids = [platform.process.pid!, postgres.pid, redis.pid, ...kafka.nodes.map((n) => n.pid)];
  const sensors = new BlockLoad(10_000);
  try {
    await measure(platform.grpc, pids, sensors.next(1));
    const blocks = await measure(platform.grpc, pids, sensors.next(Math.max(1, Math.round(4 * scale))));
    addRun("kafka_blocks_per_s", "cpu_us_kafka_blocks", blocks, copies);
    const singles = await measure(platform.grpc, pids, new SingleLoad(1000).next(Math.round(500 * scale)));
    addRun("kafka_singles_per_s", "cpu_us_kafka_singles", singles, copies);
    await addLatencies("kafka", platform.grpc, sensors, blocks.perSecond / 2);
  } finally {
    await platform.stop();
    await kafka.stop();
    await redis.stop();
    await postgres.stop();
  }
}

const machine = {
  cpu: cpus()[0]?.model ?? "",
  cores: availableParallelism(),
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  node: process.version,
  command: `npm run bench -- ${process.argv.slice(2).join(" ")}`.trim(),
};
console.log(JSON.stringify(machine));
if (options.guard) {
  const faults = await guard(options.accept === true);
  for (const fault of faults) console.error(fault);
  process.exit(faults.length === 0 ? 0 : 1);
}
const copies = parts.has("baseline") ? await baseline() : {};
if (parts.has("score")) {
  const s = scoreCost(10_000, options.quick ? 2 : 4);
  add("score_us", s.us, "µs/reading", { sensors: 10_000, model: s.modelVersion, state_bytes: s.bytesPerSensor });
}
if (parts.has("embedded")) await embedded(copies);
if (parts.has("kafka")) await cluster(copies);
if (parts.has("budget")) {
  const { peak, half, perSecond } = await measureBudget(options.quick ? 1 : 4);
  const sumOf = (b: Budget) => Object.values(b).reduce((sum, us) => sum + us, 0);
  add("budget_us_peak", sumOf(peak), "µs/reading", { at_readings_per_s: Math.round(perSecond), stages: peak });
  add("budget_us_half", sumOf(half), "µs/reading", { at_readings_per_s: Math.round(perSecond / 2), stages: half });
}
if (parts.has("sensors")) {
  add("recover_100k_s", await measureRecovery(options.quick ? 10_000 : 100_000), "s", { after: "kill -9" });
  const s = await measureSensors(20_000, options.quick ? 60_000 : 200_000);
  add("bytes_per_sensor", s.bytesPerSensor, "bytes", {
    slope_over_sensors: "20,000 to 200,000 in one process, garbage included",
  });
}
if (parts.has("storage")) {
  const stored = await storageRows(Number(options.stored) * scale);
  for (const r of stored.rows) add(r.name, r.value, r.unit, r.beside);
  console.log(stored.table);
}
if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ machine, rows }, null, 1)}\n`);
process.exit();
