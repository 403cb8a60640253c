/**
 * `npm run soak [-- --minutes 30] [--night] [--json FILE]`: half of the rate that the machine takes, for a long time, while
 * watchers come and go. Fails when memory, open files or what waits for its scores grow. Its series can be written for a closer look.
 */
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Command } from "commander";
import { type Platform, startPlatform } from "../testing/platform.ts";
import { runScript, ScriptError } from "../testing/script.ts";
import { churnWatches } from "./churn.ts";
import { memoryOf } from "./cpu.ts";
import { measure } from "./embedded.ts";
import { type LoadResult, quantile, runStreams } from "./load.ts";
import { BLOCK_BATCH_READINGS, BlockLoad, STREAMS } from "./workload.ts";

const NIGHT_MINUTES = 8 * 60;
/** Looks, however long it takes: enough for quarters to be compared. */
const LOOKS = 60;
const SENSORS = 10_000;
/** Memory may grow by so much between the second and the last quarter: caches and the collector's moods, no leak of hours. */
const MEMORY_GROWTH = 1.15;
const MEMORY_SLACK = 64 * 1024 * 1024;
/** Connections that come and go. */
const FILES_SLACK = 20;
/** Batches unsettled at any time are some; a queue that grows has thousands more. */
const LAG_SLACK = 200;

interface Look {
  readonly second: number;
  readonly rssBytes: number;
  readonly files: number;
  /** Batches sent and not settled. */
  readonly lag: number;
  readonly ackP99Ms: number;
}

const options = new Command("soak")
  .description("Half the peak for a long time: memory, files and lag must not grow.")
  .option("--minutes <n>", "how long", "30")
  .option("--night", `${NIGHT_MINUTES / 60} hours`)
  .option("--json <file>", "write the series")
  .parse()
  .opts<{ minutes: string; night?: boolean; json?: string }>();

const seconds = 60 * (options.night ? NIGHT_MINUTES : Number(options.minutes));
await runScript({ name: "npm run soak", needs: [] }, main);

async function main(): Promise<number> {
  if (!(seconds > 0)) throw new ScriptError(`--minutes is "${options.minutes}": give a number above 0`);
  // A copied database would not close its first generation by age.
  const platform = await startPlatform({}, { firstStart: true });
  const pids = [platform.process.pid!];
  const load = new BlockLoad(SENSORS);
  await measure(platform.grpc, pids, load.next(1));
  const peak = await measure(platform.grpc, pids, load.next(2));
  const perSecond = peak.perSecond / 2;
  console.log(`half of ${Math.round(peak.perSecond)} readings/s for ${seconds} s`);
  const looks = await soak(platform, load, perSecond);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ perSecond, looks }, null, 1)}\n`);
  const faults = faultsOf(looks);
  for (const fault of faults) console.error(fault);
  return faults.length === 0 ? 0 : 1;
}

async function soak(platform: Platform, load: BlockLoad, perSecond: number): Promise<Look[]> {
  const pid = platform.process.pid!;
  const batchesPerSecond = perSecond / STREAMS / BLOCK_BATCH_READINGS;
  const rounds = Math.max(1, Math.round((perSecond * seconds) / load.roundReadings));
  const streams = load.next(rounds);
  const looks: Look[] = [];
  const started = performance.now();
  let live: Pick<LoadResult, "durableMs" | "settledMs"> | undefined;
  let acks = 0;
  const look = (sent: number) => {
    const { durableMs, settledMs } = live!;
    looks.push({
      second: Math.round((performance.now() - started) / 1000),
      rssBytes: memoryOf(pid),
      files: readdirSync(`/proc/${pid}/fd`).length,
      lag: sent - settledMs.length,
      ackP99Ms: Math.round(quantile(durableMs.slice(acks), 0.99)),
    });
    acks = durableMs.length;
    const l = looks.at(-1)!;
    console.log(
      `${l.second} s: ${Math.round(l.rssBytes / 2 ** 20)} MiB, ${l.files} files, ${l.lag} batches wait, ack p99 ${l.ackP99Ms} ms`,
    );
  };
  let batches = () => 0;
  const churn = churnWatches(platform);
  const timer = setInterval(() => look(batches()), (seconds * 1000) / LOOKS);
  try {
    await runStreams(platform.grpc, streams, {
      batchesPerSecond,
      onStart: (progress) => {
        live = progress;
        batches = () => progress.batches;
      },
    });
  } finally {
    clearInterval(timer);
    console.log(`${await churn.stop()} watches were opened and closed meanwhile`);
  }
  return looks;
}

/** Compares the last quarter with the second: the first one warms up. */
function faultsOf(looks: readonly Look[]): string[] {
  const quarter = Math.floor(looks.length / 4);
  const before = looks.slice(quarter, 2 * quarter);
  const after = looks.slice(-quarter);
  const median = (of: readonly Look[], what: keyof Look) =>
    quantile(
      of.map((l) => l[what]),
      0.5,
    );
  const faults: string[] = [];
  const compare = (what: keyof Look, most: (first: number) => number) => {
    const [first, last] = [median(before, what), median(after, what)];
    if (last > most(first)) faults.push(`${what} grew from ${first} in the second quarter to ${last} in the last`);
  };
  compare("rssBytes", (first) => first * MEMORY_GROWTH + MEMORY_SLACK);
  compare("files", (first) => first + FILES_SLACK);
  compare("lag", (first) => 2 * first + LAG_SLACK);
  return faults;
}
