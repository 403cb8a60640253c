// `npm run check`: everything about the source that a machine can judge without running the product. CI runs the same.
//   --against REF   what the contracts may not break; by default the branch main, where there is one
import { spawnSync } from "node:child_process";
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

if (!against) console.error("contracts: breaking: there is no commit to compare with, so nothing to break.");

await main(async () => {
  let failed = 0;
  for (const [name, program, ...args] of steps) {
    const started = Date.now();
    const code = await runToEnd(program, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
    if (code !== 0) failed++;
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  }
  console.log(`Checks: ${steps.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
});

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
