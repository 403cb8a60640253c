/** A server of a test's own: started, ended and started again, killed or stopped with what it has in a folder. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hold } from "./held.ts";
import { end, untilLine } from "./processes.ts";

export interface ServerProcess {
  readonly pid: number;
  start(): Promise<void>;
  /** As an operator ends it. */
  shutdown(): Promise<void>;
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** @param name of the server, for the folder's */
export function serverFolder(name: string): string {
  return mkdtempSync(join(tmpdir(), `telltale-${name}-`));
}

const READY_MS = 20_000;

/** @param ready a line that it writes once it takes connections */
export async function startServer(o: {
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly options: SpawnOptions;
  readonly ready: RegExp;
}): Promise<ServerProcess> {
  const { folder, command, args, options, ready } = o;
  let child: ChildProcess;
  const stop = hold({ folder }, async () => {
    child.kill("SIGCONT");
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async () => {
    child = spawn(command, args, options);
    await untilLine(child, ready, READY_MS);
  };
  await start();
  return {
    get pid() {
      return child.pid!;
    },
    start,
    shutdown: () => end(child),
    kill: () => end(child, "SIGKILL"),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    stop,
  };
}
