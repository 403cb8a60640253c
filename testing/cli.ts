import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../cli/main.ts", import.meta.url));

export interface CliRun {
  readonly process: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** Runs a program of ours on this Node. */
export function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): CliRun {
  return run(process.execPath, args, env);
}

/** Runs a program, with what it says kept. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv, cwd?: string): CliRun {
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(cwd === undefined ? {} : { cwd }),
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([code, signal]) => code ?? signal);
  return { process: child, stdout: () => stdout, stderr: () => stderr, ended };
}

/** `telltale …` as a process of its own. */
export function runCli(...args: string[]): CliRun {
  return runNode([MAIN, ...args]);
}

/** The same with an environment. */
export function runCliWith(env: NodeJS.ProcessEnv, ...args: string[]): CliRun {
  return runNode([MAIN, ...args], env);
}
