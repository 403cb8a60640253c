/**
 * `npm run bench -- --guard`: a short run whose ratios, which hardly depend on the machine, are held against the last committed ones
 * in `baseline.json`. Fails where one is worse than half in two runs: other work on a machine is no regression. `--accept` writes new ones.
 */
import { readFile, writeFile } from "node:fs/promises";
import { startPlatform } from "../testing/platform.ts";
import { type Baseline, copyRows } from "./baseline.ts";
import { startDatabase } from "./database.ts";
import { measure } from "./embedded.ts";
import { scoreCost } from "./score.ts";
import { BlockLoad, SingleLoad } from "./workload.ts";

const FILE = new URL("./baseline.json", import.meta.url);
/** Worse than this share of the committed ratio is severe. */
const SEVERE = 0.5;
const ROWS = 1_000_000;
const SENSORS = 10_000;

/** Higher is better in each of them. */
type Ratios = Readonly<Record<string, number>>;

/** Answers with what is severely worse: nothing where all is well. */
export async function guard(accept: boolean): Promise<string[]> {
  const found = await ratios();
  if (accept) {
    await writeFile(FILE, `${JSON.stringify(found, null, 2)}\n`);
    return [];
  }
  const committed = JSON.parse(await readFile(FILE, "utf8")) as Ratios;
  const faults = compare(committed, found);
  if (faults.length === 0) return faults;
  // Copy and platform run one after the other: what else runs meanwhile can spoil one of them. Once may be chance.
  console.log("again, to be sure:");
  return compare(committed, await ratios());
}

function compare(committed: Ratios, found: Ratios): string[] {
  const faults: string[] = [];
  for (const [name, before] of Object.entries(committed)) {
    const now = found[name] ?? 0;
    console.log(`${name.padEnd(36)} ${now.toFixed(2).padStart(8)}, committed ${before.toFixed(2)}`);
    if (now < before * SEVERE) faults.push(`${name} is ${now.toFixed(2)}, less than half of ${before.toFixed(2)}`);
  }
  return faults;
}

async function ratios(): Promise<Ratios> {
  const copy = await keyedCopy();
  const score = scoreCost(SENSORS, 100);
  const platform = await startPlatform();
  const pids = [platform.process.pid!];
  try {
    const load = new BlockLoad(SENSORS);
    await measure(platform.grpc, pids, load.next(1));
    const blocks = await measure(platform.grpc, pids, load.next(2));
    const singles = await measure(platform.grpc, pids, new SingleLoad(1000).next(300));
    return rounded({
      "blocks / keyed copy, rate": blocks.perSecond / copy.rowsPerSecond,
      "singles / keyed copy, rate": singles.perSecond / copy.rowsPerSecond,
      "keyed copy / blocks, CPU": copy.cpuUsPerRow / blocks.cpuUs,
      "keyed copy / singles, CPU": copy.cpuUsPerRow / singles.cpuUs,
      "keyed copy / scoring, CPU": copy.cpuUsPerRow / score.us,
    });
  } finally {
    await platform.stop();
  }
}

async function keyedCopy(): Promise<Baseline> {
  const postgres = await startDatabase();
  try {
    return await copyRows({ ...postgres.address }, postgres.pid, ROWS, true);
  } finally {
    await postgres.stop();
  }
}

function rounded(all: Ratios): Ratios {
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, Math.round(value * 100) / 100]));
}
