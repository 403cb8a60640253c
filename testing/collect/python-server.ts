/** Devices and servers that collectors read, in Python: implementations of others than the collectors' own. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hold } from "../held.ts";
import { end, freePort, untilLine } from "../processes.ts";
import { pythonWith } from "../python.ts";

/** Loading an OPC UA server and its address space is three seconds of a core; longer on a loaded machine. */
const READY_MS = 90_000;

export interface PythonServer {
  readonly port: number;
  /** Lines that it has printed. */
  readonly lines: readonly string[];
  kill(): Promise<void>;
  /** Again, on the same port, with nothing of before. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** @param file of this folder; it takes the port as its first argument, and prints "ready" when it listens */
export async function startPython(
  file: string,
  packages: readonly string[],
  args: readonly string[] = [],
): Promise<PythonServer> {
  const bin = await pythonWith(packages);
  const port = await freePort();
  const lines: string[] = [];
  let child: ChildProcess;
  const start = async () => {
    child = spawn(join(bin, "python"), [join(import.meta.dirname, file), String(port), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    createInterface({ input: child.stdout! }).on("line", (line) => lines.push(line));
    await untilLine(child, /^ready/, READY_MS);
  };
  const stop = hold({}, () => end(child, "SIGKILL"));
  await start();
  return { port, lines, kill: () => end(child, "SIGKILL"), start, stop };
}
