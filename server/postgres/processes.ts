import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/** A fast shutdown writes what is in memory to disk; a slow disk may need this long. */
const FAST_SHUTDOWN_MS = 60_000;
/** Workers of a dead postmaster notice its death by themselves within a second. */
const ORPHANS_LEAVE_MS = 10_000;
const LOOK_EVERY_MS = 50;

/**
 * Ends what a killed process left running in the database's folder. Resolves when nobody uses the folder. The caller holds the claim on the folder, so that nobody else starts one meanwhile.
 */
export async function endLeftovers(folder: string, onFound: (pids: readonly number[]) => void): Promise<void> {
  const found = processesIn(folder);
  if (found.length > 0) {
    onFound(found);
    const postmaster = pidInFile(folder);
    if (postmaster !== undefined && found.includes(postmaster)) {
      signal(postmaster, "SIGINT"); // fast shutdown
      await gone(folder, FAST_SHUTDOWN_MS);
    }
    await gone(folder, ORPHANS_LEAVE_MS);
    for (const pid of processesIn(folder)) signal(pid, "SIGQUIT"); // immediate shutdown; the log makes it good
    await gone(folder, ORPHANS_LEAVE_MS);
  }
}

/**
 * Processes that work in the folder: every process of a database does. Only Linux can tell; elsewhere the process id file is
 * believed.
 */
export function processesIn(folder: string): number[] {
  const wanted = statSync(folder, { throwIfNoEntry: false });
  if (wanted === undefined) return [];
  if (process.platform !== "linux")
    return [pidInFile(folder)].filter((pid) => pid !== undefined && isAlive(pid)) as number[];
  const pids = readdirSync("/proc").map(Number).filter(Number.isInteger);
  return pids.filter((pid) => {
    if (pid === process.pid) return false;
    try {
      const at = statSync(`/proc/${pid}/cwd`);
      return at.ino === wanted.ino && at.dev === wanted.dev && !isZombie(pid);
    } catch {
      return false; // gone meanwhile, or of another user
    }
  });
}

/** The postmaster that the folder's process id file names. */
function pidInFile(folder: string, name = "postmaster.pid"): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(join(folder, name), "utf8"), 10);
    return pid > 0 ? pid : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Removes lock files that name a live process which is not a database of this folder: process ids come again, in containers at
 * every start, and PostgreSQL would refuse to start. Only Linux can tell that nobody works in the folder.
 */
export function removeForeignLocks(folder: string): void {
  if (process.platform !== "linux" || processesIn(folder).length > 0) return;
  for (const name of ["postmaster.pid", ".s.PGSQL.5432.lock"]) {
    const pid = pidInFile(folder, name);
    if (pid !== undefined && isAlive(pid)) rmSync(join(folder, name), { force: true });
  }
}

function isZombie(pid: number): boolean {
  return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it has just ended
  }
}

async function gone(folder: string, withinMs: number): Promise<void> {
  const until = Date.now() + withinMs;
  while (Date.now() < until && processesIn(folder).length > 0) await delay(LOOK_EVERY_MS);
}
