/** What every script that starts servers runs in: says what is missing, and ends what it started, whatever ends it. */
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { releaseAll, startReaper } from "./held.ts";
import { missing } from "./programs.ts";

export interface Script {
  /** As a user calls it. */
  readonly name: string;
  /** Programs that it runs. */
  readonly needs: readonly string[];
  /** What can be done without them, as a sentence. */
  readonly otherwise?: string;
}

/** How often to look whether npm, which would pass a signal on, has been killed itself. */
const PARENT_LOOK_MS = 500;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A wrong call of a script: said without a stack. */
export class ScriptError extends Error {}

/**
 * Runs the body and ends the process: with the exit code that the body gives (0 where it gives none), with 1 and the error where it
 * fails, and with 128 + n on a signal. A second signal does not wait.
 */
export async function runScript(script: Script, body: () => Promise<number | undefined>): Promise<never> {
  requirePrograms(script);
  startReaper();
  const ending = new AbortController();
  const signalled = untilSignal(ending);
  const code = await Promise.race([signalled, outcome(script, body, ending.signal)]);
  for (const failure of await releaseAll()) console.error(failure);
  process.exit(code);
}

function requirePrograms({ name, needs, otherwise }: Script): void {
  const lacks = missing(needs);
  const trouble = existsSync("/proc/self/stat") ? lacks : "it reads /proc, which only Linux has";
  if (trouble === undefined) return;
  console.error([`${name} cannot run: ${trouble}.`, otherwise].filter(Boolean).join(" "));
  process.exit(1);
}

/** What the body fails at because everything is being ended is no news. */
async function outcome(
  { name }: Script,
  body: () => Promise<number | undefined>,
  ending: AbortSignal,
): Promise<number> {
  try {
    return (await body()) ?? 0;
  } catch (error) {
    if (!ending.aborted) console.error(error instanceof ScriptError ? `${name}: ${error.message}` : error);
    return 1;
  }
}

/** Resolves with the exit code when a signal comes, or when the process that would pass one on is gone; then `ended` is aborted. */
function untilSignal(ended: AbortController): Promise<number> {
  return new Promise((resolve) => {
    const end = (signal: (typeof SIGNALS)[number]) => {
      const code = 128 + constants.signals[signal];
      if (ended.signal.aborted) process.exit(code); // the reaper does the rest
      ended.abort();
      console.error(`${signal}: ending what was started …`);
      resolve(code);
    };
    for (const signal of SIGNALS) process.on(signal, end);
    const fail = (error: unknown) => {
      if (ended.signal.aborted) return;
      ended.abort();
      console.error(error);
      resolve(1);
    };
    process.on("unhandledRejection", fail);
    process.on("uncaughtException", fail);
    if (process.env.npm_lifecycle_event === undefined) return;
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent && !ended.signal.aborted) end("SIGTERM");
    }, PARENT_LOOK_MS).unref();
  });
}
