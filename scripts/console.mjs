// Whether the console in dist/web is what its sources make. Plain JavaScript without dependencies: it runs before each start, on the
// Node that came with the machine.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { node, root } from "./install.mjs";

export const folder = join(root, "dist", "web");
/** What the files were built from; not served. */
export const STAMP = ".built-from";
/** Everything that can change what is built. */
const SOURCES = ["web", "gen/web", "formats", "tsconfig.json", "package-lock.json", "scripts/build-console.mjs"];

/** A hash of the sources, tests apart. */
export function wantedStamp() {
  const hash = createHash("sha256");
  for (const file of SOURCES.flatMap((name) => filesOf(join(root, name)))) {
    if (file.endsWith(".test.ts")) continue;
    hash
      .update(`${relative(root, file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return `${hash.digest("hex")}\n`;
}

/** Builds it where that is needed. An installed package brings it built, and no sources. Throws where the build fails. */
export function ensureConsole() {
  if (!existsSync(join(root, "web", "index.html"))) return;
  const stamp = join(folder, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wantedStamp()) return;
  console.error("Building the console into dist/web …");
  const script = join(root, "scripts", "build-console.mjs");
  // Its messages go to stderr, so that a command's own output stays clean.
  const { status, error } = spawnSync(node, [script], { cwd: root, stdio: ["ignore", 2, 2] });
  if (error) throw error;
  if (status !== 0) throw new Error(`The console could not be built (exit code ${status}); its messages stand above.`);
}

function filesOf(path) {
  if (!existsSync(path)) return [];
  const entries = entriesOf(path);
  return entries === undefined ? [path] : entries.sort();
}

/** All files below a folder; undefined for a file. */
function entriesOf(path) {
  try {
    const all = readdirSync(path, { recursive: true, withFileTypes: true });
    return all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
  } catch (error) {
    if (error.code === "ENOTDIR") return undefined;
    throw error;
  }
}
