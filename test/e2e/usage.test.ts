/** What the programs say of themselves, and what they refuse to be told. */
import { join } from "node:path";
import { expect, test } from "vitest";
import description from "../../package.json" with { type: "json" };
import { runCli, runNode } from "../../testing/cli.ts";

const server = join(import.meta.dirname, "../../server/main.ts");

test.each(["--help", "-h"])("npm start -- %s prints the variables and starts nothing", async (option) => {
  const run = runNode([server, option]);
  expect(await run.ended).toBe(0);
  expect(run.stdout()).toMatch(/^Usage: npm start\b/);
  for (const part of ["--version", "DATA_DIR", "GRPC_PORT", ".env.example"]) expect(run.stdout()).toContain(part);
  expect(run.stdout()).not.toContain("is ready");
});

test("npm start -- --version prints the version", async () => {
  const run = runNode([server, "--version"]);
  expect(await run.ended).toBe(0);
  expect(run.stdout()).toBe(`${description.version}\n`);
});

test.each(["--port", "start", "--help=1"])("npm start -- %s is refused", async (option) => {
  const run = runNode([server, option]);
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toBe(`"${option}" is no option of the platform. --help lists the options.\n`);
});

test.each([
  ["backtest", "--from", "2027"],
  ["backtest", "--to", "20270131"],
  ["rescore", "--from", "2027"],
  ["simulate", "--start", "12"],
  ["explain", "sensor", "2027"],
  ["token", "create", "name", "--scope", "read", "--expires", "2027"],
  ["report", "--date", "2027"],
])("telltale %s: a bare number is no time", async (...args) => {
  const run = runCli(...args);
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(/^error: .*(write 2027-01-|only from 1990 to 2100|Wanted a day as 2026-03-09)/);
});
