// `npm run check`: everything about the source that a machine can judge without running the product. CI runs the same.
//   --against REF   what the contracts may not break; by default the branch main, where there is one
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main, runToEnd } from "./children.mjs";
import { root } from "./install.mjs";

const given = process.argv.indexOf("--against");
const against = given === -1 ? firstCommit(["main", "origin/main"]) : firstCommit([process.argv[given + 1]]);

const steps = [
  ["format and lint", "node_modules/.bin/biome", "check", "--error-on-warnings", "."],
  ["types", "node_modules/.bin/tsc", "-p", "."],
  ["types of the console", "node_modules/.bin/tsc", "-p", "web"],
  ["contracts: lint", "node_modules/.bin/buf", "lint"],
  against && ["contracts: breaking", "node_modules/.bin/buf", "breaking", "--against", `.git#ref=${against}`],
  ["generated files", process.execPath, "scripts/generate.mjs", "--check"],
  ["documentation", "node_modules/.bin/vitest", "run", "--reporter=dot", "test/contract/docs.test.ts"],
].filter(Boolean);

/** Most steps use one core. */
const atOnce = 2;

if (!against) console.error("contracts: breaking: there is no commit to compare with, so nothing to break.");

await main(async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-check-"));
  // One row of steps for all: whoever is done takes the next.
  const row = steps.values();
  let failed = 0;
  const worker = async () => {
    for (const step of row) if (!(await passes(step, folder))) failed++;
  };
  try {
    await Promise.all(Array.from({ length: atOnce }, worker));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`Checks: ${steps.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});

/** What a step prints comes when it has ended, so that two of them do not mix. */
async function passes([name, program, ...args], folder) {
  const started = Date.now();
  const file = join(folder, name.replace(/\W+/g, "-"));
  const output = openSync(file, "w");
  const env = { ...process.env, ...(process.stdout.isTTY && { FORCE_COLOR: "1" }) };
  const code = await runToEnd(program, args, { cwd: root, env, stdio: ["ignore", output, output] });
  closeSync(output);
  process.stdout.write(readFileSync(file));
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  return code === 0;
}

/** Full id of the first of the names that is a commit here. */
function firstCommit(names) {
  for (const name of names) {
    const git = spawnSync("git", ["rev-parse", "--verify", "--quiet", `${name}^{commit}`], {
      cwd: root,
      encoding: "utf8",
    });
    if (git.error) {
      console.error("git is not installed or not on PATH: it gives the contracts to compare with.");
      process.exit(1);
    }
    if (git.status === 0) return git.stdout.trim();
  }
  return undefined;
}
