// Regenerates everything that is made from the contracts. With `--check` nothing is written: it says what differs from the
// committed files and exits with 1.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { root } from "./install.mjs";

const check = process.argv.includes("--check");
const out = check ? mkdtempSync(join(tmpdir(), "telltale-generate-")) : root;
try {
  let clean = run(["node_modules/.bin/buf", "generate", "-o", out]);
  if (check) clean = clean && same("gen");
  // Python's, for the Spark job; test/spark compares them.
  if (!check) clean = run([process.execPath, "test/spark/stubs.ts"]) && clean;
  // The supergraphs of the gateway; their generator compares by itself.
  clean = run([process.execPath, "gateway/mesh/compose.ts", ...(check ? ["--check"] : [])]) && clean;
  if (!clean) console.error("Generated files differ from the contracts. Run `npm run generate` and commit the result.");
  process.exitCode = clean ? 0 : 1;
} finally {
  if (check) rmSync(out, { recursive: true, force: true });
}

function run([program, ...args]) {
  const { status, error } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  if (error) throw error;
  return status === 0;
}

/** Whether the folder as committed equals the one just made; names each file that does not. */
function same(folder) {
  const made = join(out, folder);
  const kept = join(root, folder);
  const names = new Set([...files(made), ...files(kept)]);
  const different = [...names].filter((name) => read(join(made, name)) !== read(join(kept, name)));
  for (const name of different.sort()) console.error(`differs: ${join(folder, name)}`);
  return different.length === 0;
}

function files(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function read(file) {
  return existsSync(file) ? readFileSync(file, "latin1") : undefined;
}
