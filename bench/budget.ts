/**
 * Where the CPU time of a reading goes, stage by stage. Each thread of the platform is sampled; a sample belongs to the stage of the innermost
 * file of ours on its stack; the shares are scaled to the CPU time that the thread has used by the kernel's account. The database's
 * sessions name what they are for.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startPlatform } from "../testing/platform.ts";
import { cpuInside, difference } from "./cpu.ts";
import { temporaryFolder } from "./database.ts";
import { runStreams } from "./load.ts";
import { sessionsOf } from "./sessions.ts";
import { BLOCK_BATCH_READINGS, BlockLoad, STREAMS } from "./workload.ts";

const SENSORS = 10_000;
const SAMPLE_US = 1000;

/** µs of CPU a reading, by stage. */
export type Budget = Readonly<Record<string, number>>;

/** The first that matches. */
const STAGES: readonly (readonly [stage: string, files: RegExp])[] = [
  ["log", /server\/log\/|ingest\/log-submitter/],
  ["validate", /server\/ingest\//],
  ["decode", /@bufbuild\/protobuf|@connectrpc|server\/api|node:(internal\/)?http2/],
  ["score", /server\/detect\//],
  ["publish", /scoring\/(pool|messages|commit-(metrics|publisher))|server\/(live|observe|outbox)\//],
  ["copy", /server\/(store|postgres|scoring)\/|postgres\/src/],
];

interface CpuProfile {
  readonly nodes: readonly {
    id: number;
    callFrame: { functionName: string; url: string };
    children?: readonly number[];
  }[];
  /** µs of the monotonic clock. */
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** `rounds` blocks of each of 10,000 sensors: as fast as they are taken, then at half of that rate. */
export async function measureBudget(rounds: number): Promise<{ peak: Budget; half: Budget; perSecond: number }> {
  const { path: folder, remove } = await temporaryFolder();
  try {
    const options = `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-interval=${SAMPLE_US}`;
    const platform = await startPlatform({ NODE_OPTIONS: options });
    const load = new BlockLoad(SENSORS);
    const pid = platform.process.pid!;
    const part = async (count: number, perSecond?: number) => {
      const before = cpuInside(pid);
      const from = nowUs();
      const rate = perSecond === undefined ? {} : { batchesPerSecond: perSecond / STREAMS / BLOCK_BATCH_READINGS };
      const { sent, seconds } = await runStreams(platform.grpc, load.next(count), rate);
      return { from, to: nowUs(), used: difference(before, cpuInside(pid)), sent, seconds };
    };
    let sessions = new Map<string, string>();
    const parts = await (async () => {
      try {
        await part(2);
        const peak = await part(rounds);
        const perSecond = peak.sent / peak.seconds;
        await part(1, perSecond / 2);
        const half = await part(rounds, perSecond / 2);
        const names = await sessionsOf(platform.dataDir);
        sessions = new Map([...names].map(([pid, name]) => [pid, stageOf(name)]));
        return { peak, half, perSecond };
      } finally {
        await platform.stop();
      }
    })();
    const profiles = await readProfiles(folder);
    const budget = ({ from, to, used, sent }: typeof parts.peak) => {
      const seconds = new Map<string, number>();
      const add = (stage: string, s: number) => seconds.set(stage, (seconds.get(stage) ?? 0) + s);
      for (const [name, s] of Object.entries(used)) {
        const profile = profiles.get(name);
        if (profile !== undefined) for (const [stage, share] of sharesOf(profile, from, to)) add(stage, s * share);
        else add(sessions.get(name) ?? (name === "V8Worker" ? "garbage and compilers" : "other"), s);
      }
      return Object.fromEntries(
        [...seconds]
          .map(([stage, s]) => [stage, Math.round((s * 1e8) / sent) / 100] as const)
          .sort((a, b) => b[1] - a[1]),
      );
    };
    return { peak: budget(parts.peak), half: budget(parts.half), perSecond: parts.perSecond };
  } finally {
    await remove();
  }
}

/** The clock of the profiles. */
const nowUs = () => Number(process.hrtime.bigint() / 1000n);

function stageOf(session: string): string {
  if (session.startsWith("telltale-log")) return "database: log";
  return { "telltale-commit": "database: copy", "telltale-maintenance": "database: compact" }[session] ?? "other";
}

/** By the name of the thread in the kernel. */
async function readProfiles(folder: string): Promise<Map<string, CpuProfile>> {
  const found = new Map<string, CpuProfile>();
  for (const file of await readdir(folder)) {
    const profile = JSON.parse(await readFile(join(folder, file), "utf8")) as CpuProfile;
    const has = (ending: string) => profile.nodes.some(({ callFrame }) => callFrame.url.endsWith(ending));
    if (has("scoring/worker.ts")) found.set("scorer-0", profile);
    else if (has("store/maintenance-worker.ts")) found.set("maintenance", profile);
    else found.set("MainThread", profile);
  }
  return found;
}

/** Shares of the stages in the samples between two times that were not idle. */
function sharesOf(
  { nodes, startTime, samples, timeDeltas }: CpuProfile,
  from: number,
  to: number,
): Map<string, number> {
  const parent = new Map<number, number>();
  for (const { id, children } of nodes) for (const child of children ?? []) parent.set(child, id);
  const byId = new Map(nodes.map((n) => [n.id, n.callFrame]));
  const maintenance = nodes.some(({ callFrame }) => callFrame.url.endsWith("store/maintenance-worker.ts"));
  const stageOfNode = new Map<number, string | undefined>();
  for (const { id, callFrame } of nodes) {
    if (callFrame.functionName === "(idle)") continue;
    if (maintenance) stageOfNode.set(id, "compact");
    else if (callFrame.functionName === "(garbage collector)") stageOfNode.set(id, "garbage and compilers");
    else stageOfNode.set(id, innermost(id));
  }
  function innermost(id: number): string {
    for (let at: number | undefined = id; at !== undefined; at = parent.get(at)) {
      const url = byId.get(at)!.url;
      const stage = STAGES.find(([, files]) => files.test(url));
      if (stage !== undefined) return stage[0];
    }
    return "other";
  }
  const sums = new Map<string, number>();
  let all = 0;
  let at = startTime;
  for (const [i, id] of samples.entries()) {
    const us = timeDeltas[i]!;
    at += us;
    const stage = stageOfNode.get(id);
    if (at < from || at > to || stage === undefined) continue;
    sums.set(stage, (sums.get(stage) ?? 0) + us);
    all += us;
  }
  return new Map([...sums].map(([stage, us]) => [stage, us / all]));
}
