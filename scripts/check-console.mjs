// Types of the console's Svelte components: what `tsc` cannot read. Its checker needs another TypeScript than the rest of the project,
// so it is installed beside, from a lock file of its own, where it is not there yet.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { main, runToEnd } from "./children.mjs";
import { root } from "./install.mjs";

const folder = join(root, "scripts", "console-check");
const stampFile = join(folder, "node_modules", ".installed");

await main(async () => {
  const lock = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .digest("hex");
  if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== lock) {
    const quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    const code = await runToEnd("npm", ["ci", ...quiet], { cwd: folder, stdio: "inherit" });
    if (code !== 0) return code;
    writeFileSync(stampFile, lock);
  }
  const checker = join(folder, "node_modules", "svelte-check", "bin", "svelte-check");
  const args = ["--workspace", "web", "--tsconfig", join(root, "web", "tsconfig.json"), "--fail-on-warnings"];
  return runToEnd(process.execPath, [checker, ...args], { cwd: root, stdio: "inherit" });
});
