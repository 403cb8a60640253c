/** Node-RED from npm, in a folder of its own that later runs find again. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { hold } from "../held.ts";
import { end, freePort } from "../processes.ts";

const VERSION = "5.0.7";
const CACHE = join(import.meta.dirname, "../../.cache");

export interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface NodeRed {
  /** Lines that its flow has logged. */
  readonly lines: readonly string[];
  stop(): Promise<void>;
}

/** Folder with its package. */
export async function nodeRed(): Promise<string> {
  const folder = join(CACHE, `node-red-${VERSION}`);
  const isKept = () =>
    access(folder).then(
      () => true,
      () => false, // not there yet
    );
  if (await isKept()) return folder;
  await mkdir(CACHE, { recursive: true });
  const made = await mkdtemp(`${folder}-`);
  await writeFile(join(made, "package.json"), '{ "private": true }\n');
  const options = ["--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional"];
  try {
    await promisify(execFile)("npm", ["install", ...options, `node-red@${VERSION}`], { cwd: made });
  } catch (error) {
    await rm(made, { recursive: true });
    throw error;
  }
  // Another run may have been faster; its files are the same.
  await rename(made, folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    await rm(made, { recursive: true });
  });
  return folder;
}

/** Without its editor. */
export async function startNodeRed(flow: readonly FlowNode[]): Promise<NodeRed> {
  const user = await mkdtemp(join(tmpdir(), "telltale-node-red-"));
  const settings = { flowFile: "flows.json", uiHost: "127.0.0.1", uiPort: await freePort(), httpAdminRoot: false };
  const logging = { console: { level: "info" } };
  await writeFile(join(user, "settings.js"), `module.exports = ${JSON.stringify({ ...settings, logging })};\n`);
  await writeFile(join(user, "flows.json"), JSON.stringify(flow));
  const red = join(await nodeRed(), "node_modules/node-red/red.js");
  const child = spawn(process.execPath, [red, "--userDir", user], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const closed = once(child, "close");
  const stop = hold({ folder: user, ...(child.pid === undefined ? {} : { pid: child.pid }) }, async () => {
    await end(child);
    await closed;
    await rm(user, { recursive: true, force: true });
  });
  return { lines, stop };
}
