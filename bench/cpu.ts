/** CPU seconds and memory of processes and all their descendants, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks a second of /proc: 100 on every Linux that Node runs on. */
const TICKS = 100;

interface Process {
  readonly parent: number;
  readonly name: string;
  readonly seconds: number;
  readonly rssBytes: number;
}

/** Of a process, or of a thread by `PID/task/TID`. */
function read(of: number | string): Process | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${of}/stat`, "utf8");
  } catch (error) {
    // It ended while the list was read.
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
  const end = stat.lastIndexOf(")");
  const fields = stat.slice(end + 2).split(" ");
  return {
    name: stat.slice(stat.indexOf("(") + 1, end),
    parent: Number(fields[1]),
    // Of itself and of children that it has waited for: PostgreSQL's backends come and go.
    seconds: (Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14])) / TICKS,
    rssBytes: Number(fields[21]) * 4096,
  };
}

/** The processes and their descendants. */
function descendants(roots: readonly number[]): Map<number, Process> {
  const all = new Map<number, Process>();
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    const p = Number.isInteger(pid) ? read(pid) : undefined;
    if (p !== undefined) all.set(pid, p);
  }
  const found = new Map<number, Process>();
  for (const [pid, p] of all) {
    let at = pid;
    while (at > 1 && !roots.includes(at)) at = all.get(at)?.parent ?? 0;
    if (at > 1) found.set(pid, p);
  }
  return found;
}

/** CPU seconds so far of the processes and their descendants, by program name. */
export function cpuOf(roots: readonly number[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const p of descendants(roots).values()) sums.set(p.name, (sums.get(p.name) ?? 0) + p.seconds);
  return sums;
}

/** CPU seconds so far of the threads of a process by their names. */
export function threadsOf(root: number): Map<string, number> {
  const sums = new Map<string, number>();
  for (const tid of readdirSync(`/proc/${root}/task`)) {
    const thread = read(`${root}/task/${tid}`);
    if (thread !== undefined) sums.set(thread.name, (sums.get(thread.name) ?? 0) + thread.seconds);
  }
  return sums;
}

/** The same with its descendants, by their process ids. */
export function cpuInside(root: number): Map<string, number> {
  const sums = threadsOf(root);
  for (const [pid, p] of descendants([root])) if (pid !== root) sums.set(String(pid), p.seconds);
  return sums;
}

export function difference(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Record<string, number> {
  const used: Record<string, number> = {};
  for (const [name, seconds] of after) {
    const more = seconds - (before.get(name) ?? 0);
    if (more > 0) used[name] = Math.round(more * 100) / 100;
  }
  return used;
}

export function sum(used: Record<string, number>): number {
  return Object.values(used).reduce((a, b) => a + b, 0);
}

/** Resident bytes of one process, without its children. */
export function memoryOf(pid: number): number {
  return read(pid)?.rssBytes ?? 0;
}
