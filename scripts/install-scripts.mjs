// Packages' own install scripts are off (ignore-scripts in .npmrc): they run as the user, at every install, whatever they hold.
// install-scripts.json names each one of the locked packages: those with "run" are needed and run here, by name, and the others
// are not. Plain JavaScript without dependencies: the container image runs it too.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const list = JSON.parse(readFileSync(new URL("install-scripts.json", import.meta.url), "utf8"));

/** Runs what install-scripts.json says to run, in the packages that are installed under the project's folder. */
export function runInstallScripts(root) {
  for (const { package: name, run } of list) {
    if (run === undefined) continue;
    for (const folder of installed(join(root, "node_modules"), name)) runIn(folder, run);
  }
}

/** Folders of a package, or of all those of a scope ("@scope/*"), that are there. */
function installed(modules, name) {
  if (!name.endsWith("/*")) return [join(modules, name)].filter((folder) => existsSync(folder));
  const scope = join(modules, name.slice(0, -2));
  return existsSync(scope) ? readdirSync(scope).map((each) => join(scope, each)) : [];
}

function runIn(folder, script) {
  const { status, error, stderr } = spawnSync(process.execPath, [script], { cwd: folder, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`${join(folder, script)} failed (exit code ${status}): ${stderr.trim()}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) runInstallScripts(process.cwd());
