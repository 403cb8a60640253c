import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { Reporter, SerializedError, TestCase, TestModule, Vitest } from "vitest/node";

/** Files that a long run names, those that took longest; a run of few shows them all the same. */
const SLOWEST = 20;

/** Characters of an error that the end of the run shows; all of it stands where the test failed. */
const REASON_LENGTH = 300;

/**
 * Ends the run with the files that took longest, every skipped test and its reason, every failed test and the first line of its
 * error, and with the counts. With CI=true or TELLTALE_NO_SKIP=1 a skipped test fails the run: there, every part is installed. A test
 * that could not run because its setup failed is a failed one. `.ci/run` repeats the lines of "Failed" at its own end.
 */
export default class Report implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[], outside: readonly SerializedError[]): void {
    const skipped: string[] = [];
    const failed: string[] = [];
    let passed = 0;
    for (const module of modules) {
      const before = failed.length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        const setup = failedSetup(test);
        if (result.state === "passed") passed++;
        else if (result.state === "failed") failed.push(`${name}: ${reason(result.errors[0])}`);
        else if (setup !== undefined) failed.push(`${name}: in its setup: ${setup}`);
        // One that has begun or waits: that its file did not end says it.
        else if (result.state === "skipped") skipped.push(`${name}: ${skipReason(result, test.fullName)}`);
      }
      const state = module.state();
      // It did not even load, or what comes after its tests failed.
      if (state === "failed" && failed.length === before) {
        failed.push(`${module.relativeModuleId}: ${reason(errorOutsideTests(module))}`);
      }
      if (state === "queued" || state === "pending") failed.push(`${module.relativeModuleId}: did not end`);
    }
    failed.push(...outside.map((error) => `${this.#placeOf(error)}: ${reason(innermost(error))}`));
    if (modules.length > SLOWEST) list("Slowest files", slowest(modules));
    // With a name filter (-t) most tests are left out on purpose.
    if (this.#vitest?.config.testNamePattern === undefined) refuseSkips(skipped, failed);
    list("Failed", failed);
    process.stdout.write(`Tests: ${passed} passed, ${failed.length} failed, ${skipped.length} skipped\n`);
  }

  /** Where an error that no test awaits came from, as far as that is known: what ran then. */
  #placeOf({ VITEST_TEST_PATH: path, VITEST_TEST_NAME: test }: SerializedError): string {
    const file = typeof path === "string" ? `${relative(this.#vitest?.config.root ?? "", path)} > ` : "";
    const name = typeof test === "string" ? `${test} > ` : "";
    return `${file}${name}outside of all tests`;
  }
}

/** Lists what was skipped; where none may be, they are failures. */
function refuseSkips(skipped: readonly string[], failed: string[]): void {
  list("Skipped", skipped);
  if (skipped.length === 0 || (process.env.CI !== "true" && process.env.TELLTALE_NO_SKIP !== "1")) return;
  failed.push(...skipped.map((line) => `${line} (no test may be skipped here: CI=true or TELLTALE_NO_SKIP=1)`));
  process.exitCode = 1;
}

function list(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  // A name may have several lines: those after its first would end the list for `.ci/run`.
  const shown = lines.map((line) => `  ${line.replace(/\s*\n\s*/g, " ")}\n`);
  process.stdout.write(`\n${title}:\n${shown.join("")}`);
}

function slowest(modules: readonly TestModule[]): string[] {
  const timed = modules.map((module) => {
    const { collectDuration, duration } = module.diagnostic();
    return { seconds: (collectDuration + duration) / 1_000, name: module.relativeModuleId };
  });
  timed.sort((a, b) => b.seconds - a.seconds);
  return timed.slice(0, SLOWEST).map(({ seconds, name }) => `${seconds.toFixed(1)} s  ${name}`);
}

/** First line of the error of the `beforeAll` that kept a test from running; undefined for one that is skipped on purpose. */
function failedSetup(test: TestCase): string | undefined {
  if (test.options.mode === "skip" || test.options.mode === "todo") return undefined;
  for (let at = test.parent; ; at = at.parent) {
    const [error] = at.errors();
    if (error !== undefined) return reason(error);
    if (at.type === "module") return undefined;
  }
}

/** What the others tell of in general, such as the exit code of a process that died. */
function innermost(error: SerializedError): SerializedError {
  return error.cause === undefined ? error : innermost(error.cause);
}

/** Error of a hook behind the tests, or of a file that is not loaded. */
function errorOutsideTests(module: TestModule): SerializedError | undefined {
  const suites = [module, ...module.children.allSuites()];
  return suites.flatMap((suite) => suite.errors())[0];
}

/** First line of an error with text, short enough for a list. */
function reason(error: SerializedError | undefined): string {
  const text = stripVTControlCharacters(error?.message ?? "");
  const line = text.split("\n").find((each) => each.trim() !== "") ?? "no message";
  return line.length > REASON_LENGTH ? `${line.slice(0, REASON_LENGTH)}…` : line;
}

function skipReason(result: object, name: string): string {
  if ("note" in result && typeof result.note === "string") return result.note;
  return /\[needs [^\]]+\]/.exec(name)?.[0] ?? "no reason given";
}
