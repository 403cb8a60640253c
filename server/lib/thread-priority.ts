/** Which threads go first where cores are few. */
import { existsSync, readlinkSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/** Names the thread that reads it; Linux only, where threads have priorities of their own. */
const THREAD = "/proc/thread-self";
const LAST = 19;

/**
 * Gives the calling thread a lower priority than the thread that answers devices: scoring and maintenance are work for whole milliseconds,
 * an acknowledgement is many short steps, each of which would wait for them. `nice`: 1 (a little) to 19 (last).
 */
export function lowerThreadPriority(nice: number): void {
  if (!existsSync(THREAD)) return;
  const thread = Number(readlinkSync(THREAD).split("/").at(-1));
  // From where the process was started: nobody but root may go back from there.
  setPriority(thread, Math.min(LAST, getPriority(thread) + nice));
}
