// Makes sure that node_modules is what package-lock.json says. Plain JavaScript without dependencies: it runs before anything is
// installed, on the Node that came with the machine (20 or newer).
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".telltale-installed");

/** The Node 24 that comes as an npm package. */
export const node =
  process.platform === "win32" ? join(modules, "node", "bin", "node.exe") : join(modules, ".bin", "node");

/** What the folder must have been made from: this lock file, for this kind of machine. */
function wantedStamp() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${lock} ${process.platform}-${process.arch}\n`;
}

export function isInstalled() {
  return existsSync(stampFile) && existsSync(node) && readFileSync(stampFile, "utf8") === wantedStamp();
}

/** Says that node_modules is what the lock file of this moment asks for. */
export function stamp() {
  mkdirSync(modules, { recursive: true });
  writeFileSync(stampFile, wantedStamp());
}

/** Installs what is missing; at once where nothing is. Two at a time: the second waits and then has nothing to do. */
export async function ensureInstalled() {
  if (isInstalled()) return;
  const release = await lock();
  try {
    if (isInstalled()) return;
    await install();
    stamp();
  } finally {
    release();
  }
}

/**
 * `npm install`, not `npm ci`: the latter insists on packages for other platforms, which a partial mirror may lack. `--no-save`
 * keeps the lock file as it is. Everything goes to stderr, so that a command's own output stays clean.
 */
async function install() {
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"];
  console.error("Installing dependencies into node_modules (first start, or the lock file has changed) …");
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const heartbeat = setInterval(() => console.error(`  … still installing, ${seconds()} s`), 5000);
  const env = { ...process.env, npm_config_dry_run: "", TELLTALE_INSTALLING: "1" };
  const npm = process.env.npm_execpath;
  const [command, all] = npm ? [process.env.npm_node_execpath ?? process.execPath, [npm, ...args]] : ["npm", args];
  const shell = process.platform === "win32" && !npm;
  const child = spawn(command, all, { cwd: root, env, shell, stdio: ["ignore", 2, 2] });
  try {
    const code = await exitOf(child);
    if (code !== 0) throw new Error(`npm install failed (exit code ${code}); its messages stand above.`);
  } finally {
    clearInterval(heartbeat);
  }
  console.error(`Installed in ${seconds()} s.`);
}

/** Exit code of a child, 128 + signal where one ended it. */
export function exitOf(child) {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + (signalNumbers[signal] ?? 0)));
  });
}
const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

/**
 * A lock that the system releases when its holder dies, however it dies: a listening local socket. Whoever finds it taken connects
 * and is told by the closing of the connection that it is free.
 */
async function lock() {
  const id = createHash("sha256").update(root).digest("hex").slice(0, 16);
  const address = {
    linux: `\0telltale-install-${id}`,
    win32: `\\\\.\\pipe\\telltale-install-${id}`,
  }[process.platform];
  const path = address ?? join(tmpdir(), `telltale-install-${id}.sock`);
  for (let told = false; ; told = true) {
    const server = await listen(path);
    if (server) return () => server.close();
    if (!told) console.error("Another start is installing the dependencies; waiting for it …");
    if ((await closed(path)) === "ECONNREFUSED") (await import("node:fs")).rmSync(path, { force: true });
  }
}

function listen(path) {
  return new Promise((resolve, reject) => {
    const waiting = new Set();
    const server = net.createServer((socket) => {
      waiting.add(socket.on("error", () => waiting.delete(socket)));
    });
    const close = server.close.bind(server);
    server.close = () => {
      for (const socket of waiting) socket.destroy();
      return close();
    };
    server.once("error", (error) => (error.code === "EADDRINUSE" ? resolve(undefined) : reject(error)));
    server.listen(path, () => resolve(server));
  });
}

/** Resolves when whoever listens at the path has gone, with the error code if there was one. */
function closed(path) {
  return new Promise((resolve) => {
    let code;
    net
      .connect(path)
      .on("error", (error) => {
        code = error.code;
      })
      .on("close", () => resolve(code))
      .resume();
  });
}
