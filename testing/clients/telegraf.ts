/** A real Telegraf with the configuration of docs/guides/influx.md. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { hold } from "../held.ts";
import { end } from "../processes.ts";
import { program } from "../programs.ts";

const GUIDE = join(import.meta.dirname, "../../docs/guides/influx.md");
const SOURCE = join(import.meta.dirname, "counting-lines.ts");

export interface Telegraf {
  /** Of its log. */
  readonly lines: readonly string[];
  /** As an operator ends it: it sends what it has. */
  stop(): Promise<void>;
}

/**
 * @param http of the platform
 * @param outputs beside that of the guide
 */
export async function startTelegraf(http: string, outputs = ""): Promise<Telegraf> {
  const folder = await mkdtemp(join(tmpdir(), "telltale-telegraf-"));
  const file = join(folder, "telegraf.conf");
  await writeFile(file, guideConfig(http) + SOURCE_INPUT + outputs);
  const child = spawn(program("telegraf")!, ["--config", file, "--non-strict-env-handling"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stop = hold({ folder, ...(child.pid === undefined ? {} : { pid: child.pid }) }, async () => {
    await end(child);
    await rm(folder, { recursive: true, force: true });
  });
  const lines: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => lines.push(line));
  return { lines, stop };
}

/** Counts as long as it runs, and from 1 again where it is started again. */
const SOURCE_INPUT = `
[[inputs.execd]]
  command = ${JSON.stringify([process.execPath, SOURCE])}
  data_format = "influx"
`;

/** The guide's with the address of here, and faster. */
function guideConfig(http: string): string {
  const [, config] = /^```toml\n(# telegraf\.conf\n.*?)^```$/ms.exec(readFileSync(GUIDE, "utf8"))!;
  return config!.replaceAll('"10s"', '"250ms"').replace("http://127.0.0.1:8000", http);
}
