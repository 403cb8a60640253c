/**
 * `npm run bench:latency -- --rate 60000 [--beside CHECKOUT] [--turns N] [--kafka] [--json FILE]`: latencies of acknowledgements and alerts
 * at one given rate, of this version or of two in turns. `npm run bench` measures each version at half of what that one reaches, and a
 * faster version at a higher rate.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { kafkaNeeds, startKafka } from "../testing/kafka.ts";
import { startPlatform } from "../testing/platform.ts";
import { startPostgres } from "../testing/postgres.ts";
import { startRedis } from "../testing/redis.ts";
import { runScript, ScriptError } from "../testing/script.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { measure } from "./embedded.ts";
import { type Latencies, measureLatencies } from "./latency.ts";
import { hundredths } from "./row.ts";
import { BlockLoad } from "./workload.ts";

const SENSORS = 10_000;
const OWN = fileURLToPath(new URL("..", import.meta.url));

const options = new Command("bench:latency")
  .description("Latencies at one rate, of one version or of two in turns.")
  .requiredOption("--rate <readings>", "readings a second, in blocks")
  .option("--seconds <n>", "of each measurement, about: whole rounds of all sensors", "20")
  .option("--beside <checkout>", "folder of another version, installed; measured before this one in each turn")
  .option("--turns <n>", "how often", "1")
  .option("--kafka", "with Kafka, PostgreSQL and Redis")
  .option("--json <file>", "write what is printed")
  .parse()
  .opts<{ rate: string; seconds: string; beside?: string; turns: string; kafka?: boolean; json?: string }>();

interface Measured extends Latencies {
  readonly version: string;
  readonly turn: number;
  /** Of all processes but the load, a reading. */
  readonly cpuUs: number;
}

const needs = options.kafka ? [...kafkaNeeds, "redis-server", "ps"] : [];
await runScript({ name: "npm run bench:latency", needs }, main);

async function main(): Promise<number> {
  for (const name of ["rate", "seconds", "turns"] as const)
    if (!(Number(options[name]) > 0)) throw new ScriptError(`--${name} is "${options[name]}": give a number above 0`);
  const checkouts = options.beside === undefined ? [OWN] : [resolve(options.beside), OWN];
  for (const each of checkouts)
    if (!existsSync(join(each, "server/main.ts"))) throw new ScriptError(`--beside: there is no version in ${each}`);
  const all: Measured[] = [];
  for (let turn = 1; turn <= Number(options.turns); turn++) {
    for (const checkout of checkouts) {
      const measured = { version: checkout === OWN ? "this" : "beside", turn, ...(await measureOne(checkout)) };
      all.push(measured);
      console.log(line(measured));
    }
  }
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(all, null, 1)}\n`);
  return 0;
}

/** Of a platform that is started for it, so that no version goes on with what the other has left behind. */
async function measureOne(checkout: string): Promise<Omit<Measured, "version" | "turn">> {
  const parts = options.kafka ? await startParts() : { environment: {}, pids: [], stop: async () => {} };
  try {
    const platform = await startPlatform(parts.environment, { checkout });
    try {
      const pids = [platform.process.pid!, ...parts.pids];
      const sensors = new BlockLoad(SENSORS);
      await measure(platform.grpc, pids, sensors.next(1));
      const before = cpuOf(pids);
      const latencies = await measureLatencies(platform.grpc, sensors, Number(options.rate), Number(options.seconds));
      return { ...latencies, cpuUs: hundredths((sum(difference(before, cpuOf(pids))) * 1e6) / latencies.sent) };
    } finally {
      await platform.stop();
    }
  } finally {
    await parts.stop();
  }
}

async function startParts() {
  const [kafka, postgres, redis] = [await startKafka(), await startPostgres(), await startRedis()];
  return {
    environment: {
      KAFKA_BOOTSTRAP_SERVERS: kafka.brokers.join(","),
      DATABASE_URL: postgres.url,
      REDIS_URL: redis.url,
    },
    pids: [postgres.pid, redis.pid, ...kafka.nodes.map((n) => n.pid)],
    async stop() {
      await kafka.stop();
      await redis.stop();
      await postgres.stop();
    },
  };
}

function line({ version, turn, perSecond, cpuUs, ackMs, settledMs, alertMs, ...m }: Measured): string {
  const told = { ack_ms: ackMs, settled_ms: settledMs, alert_ms: alertMs, alerts: m.alerts };
  const why = { alert_mean_ms: m.alertStages.all, slowest_2_percent_ms: m.alertStages.slowest };
  const load = { at_readings_per_s: Math.round(perSecond), cpu_us: cpuUs, load_late_p99_ms: m.loadLateMs };
  return `${turn} ${version.padEnd(6)} ${JSON.stringify({ ...told, ...why, ...load })}`;
}
