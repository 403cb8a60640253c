import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "vitest";
import { program } from "./programs.ts";

export { program } from "./programs.ts";

const PACKAGES = join(import.meta.dirname, "../node_modules");
/** How the name of a package begins: those that package.json calls optional may be absent. */
const PACKAGE = "npm:";

/**
 * `describe` for tests of a part that a laptop may lack, for example `describeWith(["redis-server"], "the cache", () => …)`, or
 * `["npm:node-opcua-client"]` for a package, which `body` then imports itself. Where one is missing the tests are skipped, and the
 * end of the run says which they wait for; in CI that is a failure.
 */
export function describeWith(needs: readonly string[], name: string, body: () => void | Promise<void>): void {
  const missing = needs.filter((each) => !isInstalled(each));
  if (missing.length === 0) {
    describe(name, body);
    return;
  }
  const title = `${name} [needs ${missing.join(", ")}, not installed here]`;
  // Without its packages a body cannot even name its tests.
  const canList = !missing.some((each) => each.startsWith(PACKAGE));
  describe.skip(title, canList ? body : () => test("all of them", () => {}));
}

function isInstalled(need: string): boolean {
  if (!need.startsWith(PACKAGE)) return program(need) !== undefined;
  return existsSync(join(PACKAGES, need.slice(PACKAGE.length), "package.json"));
}
