import type { Reporter, TestModule, Vitest } from "vitest/node";

/**
 * Ends the run with every skipped test and its reason, and with the counts. With CI=true or TELLTALE_NO_SKIP=1 a skipped test
 * fails the run: there, every part is installed.
 */
export default class Report implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0 };
    const skipped: string[] = [];
    for (const module of modules) {
      if (
        module.state() === "failed" &&
        [...module.children.allTests()].every((test) => test.result().state !== "failed")
      )
        counts.failed++; // did not even load
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") counts.passed++;
        else if (result.state === "failed") counts.failed++;
        else skipped.push(`${module.relativeModuleId} > ${test.fullName}: ${skipReason(result, test.fullName)}`);
      }
    }
    // With a name filter (-t) most tests are left out on purpose.
    if (this.#vitest?.config.testNamePattern === undefined) this.#skips(skipped, counts);
    process.stdout.write(`Tests: ${counts.passed} passed, ${counts.failed} failed, ${skipped.length} skipped\n`);
  }

  #skips(skipped: readonly string[], counts: { failed: number }): void {
    if (skipped.length === 0) return;
    process.stdout.write(`\nSkipped:\n${skipped.map((line) => `  ${line}\n`).join("")}`);
    if (process.env.CI !== "true" && process.env.TELLTALE_NO_SKIP !== "1") return;
    counts.failed += skipped.length;
    process.exitCode = 1;
    process.stdout.write("No test may be skipped here (CI=true or TELLTALE_NO_SKIP=1).\n");
  }
}

function skipReason(result: object, name: string): string {
  if ("note" in result && typeof result.note === "string") return result.note;
  return /\[needs [^\]]+\]/.exec(name)?.[0] ?? "no reason given";
}
