import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");

/** A test file for each way in which a test may end. */
const files = {
  "after.test.ts": `afterAll(() => { throw new Error("still open"); }); test("one", () => {});`,
  "die.test.ts": `test("one", () => {}); test("two", () => { process.kill(process.pid, "SIGKILL"); return new Promise(() => {}); });`,
  "fail.test.ts": `describe("the sum", () => test("grows", () => expect(1).toBe(2)));`,
  "lines.test.ts": `test("of two\\n  lines", () => { throw new Error("no"); });`,
  "load.test.ts": `throw new Error("not loaded");`,
  "outside.test.ts": `test("one", () => { void Promise.reject(new Error("nobody waits")); });`,
  "setup.test.ts": `
    describe("the outer", () => {
      beforeAll(() => { throw new Error("no broker here\\nand more of it"); });
      test("one", () => {});
      describe("the inner", () => test("two", () => {}));
      test.skip("left out", () => {});
    });
    test("beside them", () => {});`,
  "needs.test.ts": `
    import { describeWith } from ${JSON.stringify(join(import.meta.dirname, "needs.ts"))};
    describeWith(["npm:vitest"], "what is here", () => test("one", () => {}));
    describeWith(["npm:vitest", "npm:@telltale/nowhere", "no-program"], "what is not", async () => {
      await import("@telltale/nowhere");
      test("two", () => {});
    });`,
  "skip.test.ts": `test("one", () => {}); test("two", (context) => context.skip("no such part"));`,
};
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp("/tmp/telltale-report-");
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
});
afterAll(() => rm(folder, { recursive: true }));

/** Exit code and output of a run of the test files that the arguments name; `environment` beside what a run takes. */
function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<{ code: unknown; said: string }> {
  const all = ["run", "--globals", "--root", folder, "--reporter", join(import.meta.dirname, "report.ts"), ...args];
  const { CI: _, TELLTALE_NO_SKIP: __, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, [vitest, ...all], { env: { ...env, ...environment } }, (error, stdout) =>
      resolve({ code: error?.code ?? 0, said: stdout }),
    );
  });
}

/** What is listed under a title, in the order of the alphabet. */
function linesOf(title: string, said: string): string[] {
  const [, lines = ""] = new RegExp(`\\n${title}:\\n((?: {2}.*\\n)+)`).exec(said) ?? [];
  return lines
    .split("\n")
    .filter(Boolean)
    .map((line) => line.slice(2))
    .sort();
}

test("a run ends with what failed and why: also a setup, a file that is not loaded or does not end, and what none awaits", async () => {
  const { code, said } = await run([]);
  expect(code).toBe(1);
  expect(linesOf("Failed", said)).toEqual([
    "after.test.ts: still open",
    "die.test.ts: did not end",
    "fail.test.ts > the sum > grows: expected 1 to be 2 // Object.is equality",
    "lines.test.ts > of two lines: no",
    "load.test.ts: not loaded",
    expect.stringMatching(
      /^outside of all tests: Worker exited unexpectedly with signal SIGKILL .* test file \S+\/die\.test\.ts$/,
    ),
    expect.stringMatching(/^outside\.test\.ts > (?:one > )?outside of all tests: nobody waits$/),
    "setup.test.ts > the outer > one: in its setup: no broker here",
    "setup.test.ts > the outer > the inner > two: in its setup: no broker here",
  ]);
  expect(linesOf("Skipped", said)).toEqual([
    expect.stringMatching(/^needs\.test\.ts > what is not \[needs .*\] > all of them: \[needs .*\]$/),
    "setup.test.ts > the outer > left out: no reason given",
    "skip.test.ts > two: no such part",
  ]);
  // The names are the last that is said before the counts.
  expect(said).toMatch(/\nFailed:\n(?: {2}.*\n){9}Tests: 5 passed, 9 failed, 3 skipped\n$/);
});

test("a long run names the files that took longest", async () => {
  const names = Array.from({ length: 21 }, (_, i) => `many-${i}.test.ts`);
  for (const name of names) {
    const wait = name === "many-7.test.ts" ? "await new Promise((resolve) => setTimeout(resolve, 500));" : "";
    await writeFile(join(folder, name), `test("one", async () => { ${wait} });`);
  }
  const { said } = await run(["many", "--no-isolate", "--maxWorkers=1"]);
  expect(said).toMatch(/\nSlowest files:\n {2}\d+\.\d s {2}many-7\.test\.ts\n(?: {2}.*\n){19}Tests: 21 passed/);
  for (const name of names) await rm(join(folder, name));
});

test("tests of an optional package that is absent are skipped, and the end of the run names it", async () => {
  const { code, said } = await run(["needs"]);
  expect([code, said]).toEqual([0, expect.stringMatching(/\nTests: 1 passed, 0 failed, 1 skipped\n$/)]);
  expect(said).toContain(
    "what is not [needs npm:@telltale/nowhere, no-program, not installed here] > all of them: [needs",
  );
});

test("a skipped test fails the run where every part is installed, unless a name filter leaves it out", async () => {
  const here = await run(["skip"]);
  expect(here.code).toBe(0);
  expect(here.said).toMatch(/\nTests: 1 passed, 0 failed, 1 skipped\n$/);
  const ci = await run(["skip"], { CI: "true" });
  expect(ci.code).toBe(1);
  expect(linesOf("Failed", ci.said)).toEqual([
    "skip.test.ts > two: no such part (no test may be skipped here: CI=true or TELLTALE_NO_SKIP=1)",
  ]);
  expect(ci.said).toMatch(/\nTests: 1 passed, 1 failed, 1 skipped\n$/);
  const filtered = await run(["skip", "-t", "one"], { CI: "true" });
  expect(filtered.code).toBe(0);
  expect(filtered.said).toMatch(/^Tests: 1 passed, 0 failed, 1 skipped\n$/);
});
