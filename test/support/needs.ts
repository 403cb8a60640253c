import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describe } from "vitest";

/** Folders beside PATH in which Debian keeps programs that these tests run. */
const moreFolders = [
  "/usr/sbin",
  "/usr/local/go/bin",
  "/usr/lib/postgresql/15/bin",
  // Where test/deploy/support/install-tools.sh puts what Debian does not have.
  join(import.meta.dirname, "../../.cache/tools/bin"),
];

/** Path of a program, or undefined where it is not installed. */
export function program(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...moreFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // the question was whether it is there
  }
}

/**
 * `describe` for tests of a part that a laptop may lack, for example `describeWith(["redis-server"], "the cache", () => …)`. Where
 * a program is missing the tests are skipped, and the end of the run says which program they wait for; in CI that is a failure.
 */
export function describeWith(programs: readonly string[], name: string, body: () => void): void {
  const missing = programs.filter((each) => program(each) === undefined);
  if (missing.length === 0) describe(name, body);
  else describe.skip(`${name} [needs ${missing.join(", ")}, not installed here]`, body);
}
