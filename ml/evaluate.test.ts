import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runNode } from "../testing/cli.ts";

test("a set of data that is not there is named, on the terminal and in the report", async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-evaluate-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const run = runNode([join(import.meta.dirname, "evaluate.ts"), "--data", folder, "--quick"]);
  expect(await run.ended).toBe(0);
  expect(run.stderr()).toContain(`Plant sensors: not evaluated, because ${folder} has no folder plants.`);
  expect(run.stdout()).toContain("## Plant sensors\n\nNot evaluated: the folder of data had no `plants/`.");
  expect(run.stdout()).toContain("## Simulated catalogue");
}, 60_000);
