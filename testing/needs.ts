import { describe } from "vitest";
import { program } from "./programs.ts";

export { program } from "./programs.ts";

/**
 * `describe` for tests of a part that a laptop may lack, for example `describeWith(["redis-server"], "the cache", () => …)`. Where
 * a program is missing the tests are skipped, and the end of the run says which program they wait for; in CI that is a failure.
 */
export function describeWith(programs: readonly string[], name: string, body: () => void): void {
  const missing = programs.filter((each) => program(each) === undefined);
  if (missing.length === 0) describe(name, body);
  else describe.skip(`${name} [needs ${missing.join(", ")}, not installed here]`, body);
}
