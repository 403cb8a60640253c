/**
 * Servers and folders that end with the process that started them. Launchers hold what they start; a script releases all of it when
 * it ends for any reason, and a reaper does where the script itself is killed.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";

/** What a script leaves behind if it is killed. */
export interface Leftover {
  /** Temporary folder with the data of a server; processes that work in it, or in a folder of it, are killed. */
  readonly folder?: string;
  /** A process that is told to end first, with SIGTERM. */
  readonly pid?: number;
}

const releases = new Map<number, () => Promise<void>>();
let last = 0;
let reaper: ChildProcess | undefined;

/**
 * Holds something until the function that comes back is called, which releases it once, however often it is called.
 * @param release ends the server and removes its data
 */
export function hold(leftover: Leftover, release: () => Promise<void>): () => Promise<void> {
  const id = ++last;
  let released: Promise<void> | undefined;
  const once = () => {
    released ??= release().finally(() => {
      releases.delete(id);
      tellReaper({ id });
    });
    return released;
  };
  releases.set(id, once);
  tellReaper({ id, ...leftover });
  return once;
}

/** Releases everything that is held, the newest first. Goes on after a failure, and answers with all of them. */
export async function releaseAll(): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const release of [...releases.values()].reverse()) await release().catch((error) => failures.push(error));
  return failures;
}

/** From now on, what is held is cleaned up by another process when this one is killed. */
export function startReaper(): void {
  // A group of its own: Ctrl-C at a terminal goes to the whole group of the script.
  reaper = spawn(process.execPath, [join(import.meta.dirname, "reaper.ts")], {
    stdio: ["pipe", "ignore", "inherit"],
    detached: true,
  });
  reaper.unref();
}

function tellReaper(message: { readonly id: number } & Leftover): void {
  reaper?.stdin?.write(`${JSON.stringify(message)}\n`);
}
