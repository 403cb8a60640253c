/**
 * Outlives a script that is killed, and cleans up behind it. Told by lines on its input what the script holds ({id, folder?, pid?}) and
 * what it has released ({id}); the end of the input is the end of the script.
 */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { processesIn } from "../server/postgres/processes.ts";

/** A platform drains for so long when it is told to end. */
const GRACE_MS = 15_000;
const LOOK_EVERY_MS = 100;

interface Held {
  readonly folder?: string | undefined;
  readonly pid?: number;
  /** When the process started, in ticks since the machine did: ids come again. */
  readonly startedAt?: string | undefined;
}
const held = new Map<number, Held>();

for await (const line of createInterface({ input: process.stdin })) {
  const { id, folder, pid } = JSON.parse(line) as { id: number; folder?: string; pid?: number };
  if (folder === undefined && pid === undefined) held.delete(id);
  else held.set(id, pid === undefined ? { folder } : { folder, pid, startedAt: startOf(pid) });
}
const left = [...held.values()];
signal(left, "SIGTERM");
const until = Date.now() + GRACE_MS;
while (Date.now() < until && left.some(isAlive)) await delay(LOOK_EVERY_MS);
signal(left, "SIGKILL");
for (const { folder } of left) {
  if (folder === undefined) continue;
  for (const pid of [folder, ...subfolders(folder)].flatMap(processesIn)) kill(pid, "SIGKILL");
  rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
}

function startOf(pid: number): string | undefined {
  try {
    // The name, in brackets, may hold anything; the start is the 20th field behind it.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[19];
  } catch {
    return undefined; // it has ended
  }
}

function isAlive({ pid, startedAt }: Held): boolean {
  return pid !== undefined && startedAt !== undefined && startOf(pid) === startedAt;
}

function signal(them: readonly Held[], name: NodeJS.Signals): void {
  for (const each of them) if (isAlive(each)) kill(each.pid!, name);
}

function kill(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has just ended
  }
}

function subfolders(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return []; // it is gone already
  }
}
