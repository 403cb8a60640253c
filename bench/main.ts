/**
 * `npm run bench [-- --json FILE] [--quick] [--only NAME,…]`: rates, costs and latencies of the platform beside what the machine
 * itself gives, all in one run.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { Command } from "commander";
import { kafkaNeeds, startKafka } from "../testing/kafka.ts";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { startPostgres } from "../testing/postgres.ts";
import { missing } from "../testing/programs.ts";
import { startRedis } from "../testing/redis.ts";
import { runScript, ScriptError } from "../testing/script.ts";
import { copyRows } from "./baseline.ts";
import { type Budget, measureBudget } from "./budget.ts";
import { type Caller, grpcCaller, measureCalls, restCaller } from "./calls.ts";
import { chartRows } from "./charts.ts";
import { startDatabase } from "./database.ts";
import { measure, measureRecovery, measureSensors, type Run } from "./embedded.ts";
import { guard } from "./guard.ts";
import { incidentRows } from "./incidents.ts";
import { measureLatencies } from "./latency.ts";
import { mqttRows } from "./mqtt.ts";
import { notifyRows } from "./notify.ts";
import { BESIDE_NEEDS, besideRows } from "./notify-beside.ts";
import { protocolRows } from "./protocols.ts";
import { registryRows } from "./registry.ts";
import type { Row } from "./row.ts";
import { scoreCost } from "./score.ts";
import { storageRows } from "./storage.ts";
import { openWatchers } from "./watchers.ts";
import { BlockLoad, SingleLoad } from "./workload.ts";

const PARTS = [
  "baseline",
  "score",
  "embedded",
  "kafka",
  "watch",
  "budget",
  "sensors",
  "storage",
  "charts",
  "registry",
  "incidents",
  "notify",
  "protocols",
  "mqtt",
] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly json?: string;
  readonly guard?: boolean;
  readonly accept?: boolean;
  readonly quick?: boolean;
  readonly only: string;
  readonly stored: string;
  readonly limit: string;
}

const options = new Command("bench")
  .description("Measures the platform beside its parts, on this machine, in this run.")
  .option("--json <file>", "write the rows as JSON")
  .option("--guard", "only compare the ratios of a short run with the committed ones; fails where one is below half")
  .option("--accept", "with --guard: commit to the ratios of this run")
  .option("--quick", "a tenth of the load: for a look, not for figures")
  .option("--only <parts>", "comma list of the parts", PARTS.join(","))
  .option("--stored <readings>", "readings stored for the times of queries", "10000000")
  .option("--limit <minutes>", "longest that a part may take", "60")
  .parse()
  .opts<Options>();

const parts: ReadonlySet<string> = new Set(options.only.split(","));
const scale = options.quick ? 0.1 : 1;
const rows: Row[] = [];

function add(name: string, value: number, unit: string, beside: Record<string, unknown> = {}): void {
  const row = { name, value: Math.round(value * 1000) / 1000, unit, beside };
  rows.push(row);
  const shown = value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
  console.log(`${name.padEnd(28)} ${shown.padStart(12)} ${unit.padEnd(12)} ${JSON.stringify(beside)}`);
}

const tenths = (value: number) => Math.round(value * 10) / 10;
const ratio = (a: number, b: number | undefined) => (b === undefined ? undefined : Math.round((100 * a) / b) / 100);

interface Copies {
  readonly plain?: number;
  readonly keyed?: number;
}

async function baseline(): Promise<Copies> {
  const postgres = await startDatabase();
  try {
    const count = 2_000_000 * scale;
    const plain = await copyRows({ ...postgres.address }, postgres.pid, count, false);
    const keyed = await copyRows({ ...postgres.address }, postgres.pid, count, true);
    add("copy_plain_per_s", plain.rowsPerSecond, "rows/s", { cpu_us: plain.cpuUsPerRow });
    add("copy_keyed_per_s", keyed.rowsPerSecond, "rows/s", { cpu_us: keyed.cpuUsPerRow });
    return { plain: plain.rowsPerSecond, keyed: keyed.rowsPerSecond };
  } finally {
    await postgres.stop();
  }
}

function addRun(name: string, cpuName: string, run: Run, copies: Copies): void {
  add(name, run.perSecond, "readings/s", {
    copy_plain_ratio: ratio(run.perSecond, copies.plain),
    cpu_seconds: run.cpu,
    load_cpu_us: Math.round(run.loadCpuUs * 100) / 100,
    readings: run.load.sent,
  });
  const byKeyed = ratio(run.perSecond, copies.keyed);
  if (byKeyed !== undefined) add(name.replace(/_per_s$/, "_to_copy_keyed"), byKeyed, "×");
  add(cpuName, run.cpuUs, "µs/reading", { load_cpu_us: Math.round(run.loadCpuUs * 100) / 100 });
}

async function addLatencies(name: string, url: string, sensors: BlockLoad, perSecond: number): Promise<void> {
  const l = await measureLatencies(url, sensors, perSecond, Math.max(5, 20 * scale));
  const beside = { at_readings_per_s: Math.round(l.perSecond), load_late_p99_ms: l.loadLateMs };
  add(`ack_p99_ms_${name}`, l.ackMs.p99, "ms", { ...beside, ack_ms: l.ackMs, settled_ms: l.settledMs });
  const alerts = { alerts: l.alerts, alert_ms: l.alertMs, slowest_ms: l.alertStages.slowest };
  add(`alert_p99_ms_${name}`, l.alertMs.p99, "ms", { ...beside, ...alerts });
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
    await calls(pids, platform);
    await addLatencies("embedded", platform.grpc, sensors, blocks.perSecond / 2);
  } finally {
    await platform.stop();
  }
}

/** One reading a call. */
async function calls(pids: readonly number[], { grpc, http }: Platform): Promise<void> {
  const ofEach = <T>(count: number, make: (sensorId: string) => T) =>
    Array.from({ length: count }, (_, i) => make(`unary-${i}`));
  const grpcCallers = (count: number) => Promise.all(ofEach(count, (id) => grpcCaller(grpc, id)));
  const addCalls = async (name: string, callers: readonly Caller[]) => {
    const c = await measureCalls(pids, callers, 5_000 * scale);
    const beside = { callers: callers.length, p50_ms: tenths(c.p50Ms), p99_ms: tenths(c.p99Ms) };
    add(name, c.perSecond, "calls/s", { ...beside, cpu_us: tenths(c.cpuUs), load_cpu_us: tenths(c.loadCpuUs) });
  };
  await addCalls("embedded_unary_per_s", await grpcCallers(16));
  await addCalls("embedded_unary_64_per_s", await grpcCallers(64));
  await addCalls(
    "rest_post_per_s",
    ofEach(32, (id) => restCaller(http, id)),
  );
}

/** Ingest beside watches of everything, as a share of what it is without them, before and after. */
async function watched(): Promise<void> {
  const platform = await startPlatform();
  const pids = [platform.process.pid!];
  const sensors = new BlockLoad(10_000);
  const blocks = () => measure(platform.grpc, pids, sensors.next(Math.max(1, Math.round(2 * scale))));
  try {
    await measure(platform.grpc, pids, sensors.next(1));
    let before = await blocks();
    for (const count of [1, 10]) {
      const end = await openWatchers(platform.grpc, count);
      const during = await blocks();
      const seen = await end();
      const after = await blocks();
      const alone = (before.perSecond + after.perSecond) / 2;
      add(`watched_by_${count}_to_alone`, during.perSecond / alone, "×", {
        readings_per_s: Math.round(during.perSecond),
        watched_per_s: Math.round(seen.readings / during.load.seconds),
        gaps_declared: seen.gaps,
      });
      before = after;
    }
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

async function main(): Promise<number> {
  const unknown = [...parts].filter((part) => !PARTS.some((known) => known === part));
  if (unknown.length > 0) throw new ScriptError(`--only names "${unknown.join(", ")}"; there are ${PARTS.join(", ")}`);
  const stored = Number(options.stored) * scale;
  if (!(stored >= 1)) throw new ScriptError(`--stored is "${options.stored}": give a number of readings`);
  if (!(Number(options.limit) > 0)) throw new ScriptError(`--limit is "${options.limit}": give a number of minutes`);
  console.log(JSON.stringify(machine));
  if (options.guard) {
    const faults = await guard(options.accept === true);
    for (const fault of faults) console.error(fault);
    return faults.length === 0 ? 0 : 1;
  }
  const alone = parts.has("notify") ? missing(BESIDE_NEEDS) : undefined;
  if (alone !== undefined) console.error(`Notifications are measured alone: ${alone}.`);
  await measureParts(stored);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ machine, rows }, null, 1)}\n`);
  return 0;
}

/** @param stored readings behind the times of queries */
async function measureParts(stored: number): Promise<void> {
  let copies: Copies = {};
  const measures: Record<Part, () => Promise<void>> = {
    async baseline() {
      copies = await baseline();
    },
    score: async () => score(),
    embedded: () => embedded(copies),
    kafka: () => cluster(copies),
    watch: () => watched(),
    budget: () => budget(),
    sensors: () => sensors(),
    async storage() {
      const { rows: stores, table } = await storageRows(stored);
      addAll(stores);
      console.log(table);
    },
    async charts() {
      for await (const r of chartRows(3 * stored, 200_000 * scale)) addAll([r]);
    },
    registry: async () => addAll(await registryRows(200_000 * scale)),
    incidents: async () => addAll(await incidentRows(10_000 * scale)),
    async notify() {
      addAll(await notifyRows(400 * scale, 10_000 * scale));
      addAll(await besideRows(200 * scale, 10_000 * scale));
    },
    protocols: async () => addAll(await protocolRows(400_000 * scale)),
    mqtt: async () => addAll(await mqttRows(200 * scale)),
  };
  for (const part of PARTS) if (parts.has(part)) await inTime(part, measures[part]());
}

/** What hangs would keep the machine busy for ever: past the limit everything that was started is ended. */
async function inTime(part: Part, measured: Promise<void>): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const message = `"${part}" has taken longer than ${options.limit} min (--limit): it is ended`;
  const timer = setTimeout(() => reject(new ScriptError(message)), Number(options.limit) * 60_000);
  await Promise.race([measured, late]).finally(() => clearTimeout(timer));
}

function addAll(found: readonly Row[]): void {
  for (const r of found) add(r.name, r.value, r.unit, r.beside);
}

function score(): void {
  const readings = options.quick ? 100 : 300;
  const blocks = scoreCost(10_000, readings);
  const about = { sensors: 10_000, model: blocks.modelVersion, state_bytes: blocks.bytesPerSensor };
  add("score_us", blocks.us, "µs/reading", about);
  add("score_singles_us", scoreCost(10_000, readings / 10, 1).us, "µs/reading", about);
}

async function budget(): Promise<void> {
  const { peak, half, perSecond } = await measureBudget(options.quick ? 1 : 4);
  const sumOf = (b: Budget) => Object.values(b).reduce((sum, us) => sum + us, 0);
  add("budget_us_peak", sumOf(peak), "µs/reading", { at_readings_per_s: Math.round(perSecond), stages: peak });
  add("budget_us_half", sumOf(half), "µs/reading", { at_readings_per_s: Math.round(perSecond / 2), stages: half });
}

async function sensors(): Promise<void> {
  for (const [name, count] of Object.entries({ recover_100k_s: 100_000, recover_1m_s: 1_000_000 }))
    add(name, await measureRecovery(count * scale), "s", { sensors: count * scale, after: "kill -9" });
  const [few, many] = [20_000, 1_000_000 * scale];
  const { bytesPerSensor } = await measureSensors(few, many);
  add("bytes_per_sensor", bytesPerSensor, "bytes", {
    slope_over_sensors: [few, many],
    of: "one process, with garbage",
  });
}

const NEEDS: Partial<Record<Part, readonly string[]>> = {
  kafka: [...kafkaNeeds, "redis-server", "ps"],
  mqtt: ["mosquitto"],
};
const needs = options.guard ? [] : PARTS.flatMap((part) => (parts.has(part) ? (NEEDS[part] ?? []) : []));
const otherwise = `Without them: npm run bench -- --only ${PARTS.filter((part) => NEEDS[part] === undefined).join(",")}`;
await runScript({ name: "npm run bench", needs, otherwise }, main);
