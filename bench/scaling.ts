/**
 * `npm run bench:scaling [-- --json FILE]`: one, two and four scoring processes on eight partitions, in one run on one machine. What
 * another core would bring is told by the CPU of a reading: work that is shared without more work in sum scales. Beside it, what each
 * role uses at this load: the base of the requests and limits in deploy/k8s.
 */
import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { Member } from "../test/faults/cluster.ts";
import { kafkaNeeds, startKafka, type TestKafka } from "../testing/kafka.ts";
import { startPostgres, type TestPostgres } from "../testing/postgres.ts";
import { freePort } from "../testing/processes.ts";
import { startRedis, type TestRedis } from "../testing/redis.ts";
import { runScript } from "../testing/script.ts";
import { cpuOf, memoryOf, sum } from "./cpu.ts";
import { temporaryFolder } from "./database.ts";
import { quantile, runStreams } from "./load.ts";
import { BLOCK_BATCH_READINGS, BlockLoad, SingleLoad, STREAMS } from "./workload.ts";

const PARTITIONS = 8;
const SENSORS = 4_000;
const BLOCK_ROUNDS = 3;
const SINGLE_SENSORS = 1_000;
const SINGLE_ROUNDS = 300;
/** Readings a second of a load that leaves room: what there is to do then is more, smaller commits. */
const QUIET_RATE = 50_000;
const WARM_ROUNDS = 100;
const MAIN = join(import.meta.dirname, "../server/main.ts");

const { json } = new Command("scaling")
  .option("--json <file>", "write the rows as JSON")
  .parse()
  .opts<{ json?: string }>();
let folder: string;
let kafka: TestKafka;
let postgres: TestPostgres;
let redis: TestRedis;
const members: Member[] = [];
const rows: Record<string, unknown>[] = [];

async function member(role: string, n = 1): Promise<Member> {
  const ports = { grpc: await freePort(), http: await freePort() };
  const environment = {
    ROLE: role,
    DATABASE_URL: postgres.url,
    KAFKA_BOOTSTRAP_SERVERS: kafka.brokers.join(","),
    KAFKA_PARTITIONS: String(PARTITIONS),
    REDIS_URL: redis.url,
    SCORER_THREADS: "1",
    DATA_DIR: folder,
    LOG_LEVEL: "info",
    ...(role === "gateway" ? { GRPC_URL: `http://127.0.0.1:${of("query")[0]!.grpcPort}` } : {}),
  };
  const one = new Member(`${role}-${n}`, ports, environment, MAIN, folder);
  members.push(one);
  await one.start();
  return one;
}

const of = (role: string) => members.filter(({ name }) => name.startsWith(role));

/** Waits until every scoring process has its share of the partitions. */
async function shares(): Promise<number[]> {
  for (;;) {
    const own = await Promise.all(
      of("score").map(async ({ grpcPort }) => {
        const page = await (await fetch(`http://127.0.0.1:${grpcPort}/metrics`)).text();
        return page.match(/^telltale_log_lag_records\{/gm)?.length ?? 0;
      }),
    );
    if (own.reduce((a, b) => a + b) === PARTITIONS && own.every((n) => n > 0)) return own;
    await delay(100);
  }
}

/** CPU seconds so far of each process of ours, and of the servers. */
function used(): Map<string, number> {
  const each = (pids: readonly number[]) => sum(Object.fromEntries(cpuOf(pids)));
  const servers = [
    ["postgres", each([postgres.pid])],
    ["kafka", each(kafka.nodes.map(({ pid }) => pid))],
  ] as const;
  return new Map([...members.map(({ name, pid }) => [name, each([pid])] as const), ...servers]);
}

const blocks = new BlockLoad(SENSORS);
const singles = new SingleLoad(SINGLE_SENSORS);
type Kind = "blocks" | "singles" | "blocks, quiet";

async function measure(kind: Kind): Promise<void> {
  const partitions = await shares();
  const url = `http://127.0.0.1:${of("ingest")[0]!.grpcPort}`;
  const streams = kind === "singles" ? singles.next(SINGLE_ROUNDS) : blocks.next(kind === "blocks" ? BLOCK_ROUNDS : 1);
  const options = kind === "blocks, quiet" ? { batchesPerSecond: QUIET_RATE / BLOCK_BATCH_READINGS / STREAMS } : {};
  const before = used();
  const asking = new AbortController();
  const asked = ask(asking.signal);
  const load = await runStreams(url, streams, options);
  asking.abort();
  const calls = await asked;
  const after = used();
  if (load.accepted !== load.sent) throw new Error(`${load.sent} sent, ${load.accepted} accepted`);
  const us = (names: readonly string[]) =>
    (1e6 * names.reduce((all, name) => all + after.get(name)! - before.get(name)!, 0)) / load.sent;
  const scorers = of("score").map(({ name }) => name);
  const row = {
    scorers: scorers.length,
    kind,
    partitions: partitions.join("+"),
    perSecond: Math.round(load.sent / load.seconds),
    score_us: round(us(scorers)),
    share: scorers.map((name) => round(us([name]) / us(scorers))).join(" "),
    ingest_us: round(us(["ingest-1"])),
    postgres_us: round(us(["postgres"])),
    kafka_us: round(us(["kafka"])),
    query_cpu: round((after.get("query-1")! - before.get("query-1")!) / load.seconds),
    gateway_cpu: round((after.get("gateway-1")! - before.get("gateway-1")!) / load.seconds),
    calls_per_s: Math.round(calls / load.seconds),
    settled_p99_ms: Math.round(quantile(load.settledMs, 0.99)),
    rss_mb: Object.fromEntries(members.map(({ name, pid }) => [name, Math.round(memoryOf(pid) / 2 ** 20)])),
  };
  rows.push(row);
  console.log(JSON.stringify(row));
}

const round = (x: number) => Math.round(100 * x) / 100;
/** Somebody looks, twenty times a second; answers with how often. */
async function ask(signal: AbortSignal): Promise<number> {
  let calls = 0;
  const gateway = `http://127.0.0.1:${of("gateway")[0]!.httpPort}`;
  while (!signal.aborted) {
    await (await fetch(`${gateway}/api/v1/sensors/data?limit=100`)).arrayBuffer();
    calls++;
    await delay(50);
  }
  return calls;
}

async function main(): Promise<number> {
  folder = (await temporaryFolder()).path;
  kafka = await startKafka();
  postgres = await startPostgres({ max_connections: "100" });
  redis = await startRedis();
  await member("ingest");
  await member("score", 1);
  await member("query");
  await member("gateway");
  const idle = members.map(({ name, pid }) => [name, Math.round(memoryOf(pid) / 2 ** 20)]);
  console.log(JSON.stringify({ idle_rss_mb: Object.fromEntries(idle) }));
  // Every sensor is met for the first time before anything is measured.
  const url = `http://127.0.0.1:${of("ingest")[0]!.grpcPort}`;
  await runStreams(url, blocks.next(1));
  await runStreams(url, singles.next(1));
  for (const processes of [1, 2, 4]) {
    while (of("score").length < processes) await member("score", of("score").length + 1);
    await shares();
    // A process that has just started has not compiled its hot code yet, and knows no sensor of its new partitions.
    await runStreams(url, blocks.next(1));
    await runStreams(url, singles.next(WARM_ROUNDS));
    for (const kind of ["blocks", "singles", "blocks, quiet"] as const) await measure(kind);
  }
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), memoryGiB: Math.round(totalmem() / 2 ** 30) };
  if (json) writeFileSync(json, `${JSON.stringify({ machine, node: process.version, rows }, null, 1)}\n`);
  return 0;
}

await runScript({ name: "npm run bench:scaling", needs: [...kafkaNeeds, "redis-server", "ps"] }, main);
