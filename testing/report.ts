import type { Reporter, TestCase, TestModule, Vitest } from "vitest/node";

/** Files that a long run names, those that took longest; a run of few shows them all the same. */
const SLOWEST = 20;

/**
 * Ends the run with the files that took longest, and every skipped test and its reason, and with the counts. With CI=true or TELLTALE_NO_SKIP=1 a skipped test
 * fails the run: there, every part is installed. A test that could not run because its setup failed is a failed one.
 */
export default class Report implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0 };
    const skipped: string[] = [];
    const prevented: string[] = [];
    for (const module of modules) {
      const before = counts.failed + prevented.length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        const setup = failedSetup(test);
        if (result.state === "passed") counts.passed++;
        else if (result.state === "failed") counts.failed++;
        else if (setup !== undefined) prevented.push(`${name}: ${setup}`);
        else skipped.push(`${name}: ${skipReason(result, test.fullName)}`);
      }
      // It did not even load, or what comes after its tests failed.
      if (module.state() === "failed" && counts.failed + prevented.length === before) counts.failed++;
    }
    counts.failed += prevented.length;
    if (modules.length > SLOWEST) list("Slowest files", slowest(modules));
    list("Failed in their setup", prevented);
    // With a name filter (-t) most tests are left out on purpose.
    if (this.#vitest?.config.testNamePattern === undefined) this.#skips(skipped, counts);
    process.stdout.write(`Tests: ${counts.passed} passed, ${counts.failed} failed, ${skipped.length} skipped\n`);
  }

  #skips(skipped: readonly string[], counts: { failed: number }): void {
    list("Skipped", skipped);
    if (skipped.length === 0 || (process.env.CI !== "true" && process.env.TELLTALE_NO_SKIP !== "1")) return;
    counts.failed += skipped.length;
    process.exitCode = 1;
    process.stdout.write("No test may be skipped here (CI=true or TELLTALE_NO_SKIP=1).\n");
  }
}

function list(title: string, lines: readonly string[]): void {
  if (lines.length > 0) process.stdout.write(`\n${title}:\n${lines.map((line) => `  ${line}\n`).join("")}`);
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
    if (error !== undefined) return error.message.split("\n")[0];
    if (at.type === "module") return undefined;
  }
}

function skipReason(result: object, name: string): string {
  if ("note" in result && typeof result.note === "string") return result.note;
  return /\[needs [^\]]+\]/.exec(name)?.[0] ?? "no reason given";
}
