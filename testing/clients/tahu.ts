/** An edge node of Eclipse Tahu, as a plant runs one. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { hold } from "../held.ts";
import { jarsOf } from "../maven.ts";
import { end } from "../processes.ts";

const FOLDER = join(import.meta.dirname, "tahu");

/** Programs that it needs. */
export const tahuNeeds = ["java", "javac", "mvn"];

export type Count = readonly [timeMs: number, value: number];

export interface TahuEdge {
  /** What it has counted; the last one that its last birth message had, and those after it. */
  readonly counts: readonly Count[];
  readonly sinceBirth: readonly Count[];
  readonly births: number;
  /** How often it was asked for its births. */
  readonly rebirths: number;
  /** Goodbyes, then its end. */
  close(): Promise<void>;
  /** Without a goodbye: the broker sends its will. */
  kill(): Promise<void>;
}

/** @param primaryHost the host without which it keeps what it measures; without one it sends to whoever listens */
export async function startTahuEdge(port: number, primaryHost?: string): Promise<TahuEdge> {
  const jars = await tahuJars();
  const args = [String(port), ...(primaryHost === undefined ? [] : [primaryHost])];
  const child = spawn("java", ["-cp", jars.join(delimiter), join(FOLDER, "Edge.java"), ...args], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const kill = hold({ ...(child.pid === undefined ? {} : { pid: child.pid }) }, () => end(child, "SIGKILL"));
  const counts: Count[] = [];
  const seen = { births: 0, rebirths: 0, sinceBirth: [] as Count[] };
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [what, ...numbers] = line.split(" ");
    const [timeMs = NaN, value = NaN] = numbers.map(Number);
    const count: Count = [timeMs, value];
    if (what === "rebirth") {
      seen.rebirths++;
      return;
    }
    if (what === "birth") {
      seen.births++;
      seen.sinceBirth = [];
    }
    seen.sinceBirth.push(count);
    // A birth brings the newest one again.
    if (counts.at(-1)?.[0] !== timeMs) counts.push(count);
  });
  return Object.assign(seen, {
    counts,
    kill,
    close: async () => {
      const exit = child.exitCode === null ? once(child, "close") : undefined;
      child.stdin.end();
      await exit;
      await kill();
    },
  });
}

export function tahuJars(): Promise<string[]> {
  return jarsOf(join(FOLDER, "pom.xml"), "tahu");
}
