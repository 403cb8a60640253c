// Programs that the scripts run: their exit codes, and what happens when the script is to end meanwhile.
import { spawn } from "node:child_process";

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };
const passedOn = ["SIGINT", "SIGTERM", "SIGHUP"];

/** The script was told to end while a program ran. */
export class Interrupted extends Error {
  constructor(signal) {
    super(signal);
    this.exitCode = 128 + signalNumbers[signal];
  }
}

/** Exit code of a child, 128 + signal where one ended it. */
export function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signalNumbers[signal] ?? 0)));
  });
}

/**
 * Runs a program to its end and answers with its exit code. A signal to the script is passed on to it, or `endBy` in its place; when it has
 * ended, the script's own work ends with Interrupted. Throws where the program does not start.
 */
export async function runToEnd(program, args, { endBy, ...options }) {
  const child = spawn(program, args, options);
  let told;
  const passOn = (signal) => {
    told = signal;
    child.kill(endBy ?? signal);
  };
  for (const signal of passedOn) process.on(signal, passOn);
  try {
    const code = await exitOf(child);
    if (told !== undefined) throw new Interrupted(told);
    return code;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    throw new Error(`${program} is not there or not on PATH; \`npm install\` completes node_modules.`, {
      cause: error,
    });
  } finally {
    for (const signal of passedOn) process.off(signal, passOn);
  }
}

/** Runs a script's work; what goes wrong is said in a sentence and makes the exit code. */
export async function main(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (!(error instanceof Interrupted)) console.error(error.message);
    process.exitCode = error.exitCode ?? 1;
  }
}
