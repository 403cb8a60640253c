/** `telltale report` against the real platform. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { FleetReportSchema } from "../../gen/es/telltale/v1/report_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

let platform: Secured;
let folder: string;
beforeAll(async () => {
  platform = await startSecured();
  folder = await mkdtemp(join(tmpdir(), "telltale-report-"));
  await fill(platform.as(platform.adminToken), "line-1/pump <1>");
});
afterAll(async () => {
  await platform?.stop();
  await rm(folder, { recursive: true });
});

async function report(token: string, ...args: string[]) {
  const run = runCli("report", ...args, "--url", platform.grpc, "--token", token);
  return { code: await run.ended, stdout: run.stdout(), stderr: run.stderr() };
}
// The readings end now: just after midnight, most of them are yesterday's, and the week may be over.
const date = new Date().toISOString().slice(0, 10);

test("a page of today is written, with the sensor and its alarm", async () => {
  const { secret } = await platform.mint([Scope.READ]);
  const file = join(folder, "today.html");
  expect(await report(secret, "--date", date, "-o", file)).toMatchObject({ code: 0, stdout: "" });
  const html = await readFile(file, "utf8");
  expect(html).toContain("<!doctype html>");
  expect(html).toContain("line-1/pump &lt;1&gt;");
  expect(html).not.toContain("pump <1>");
});

test("the same comes as JSON on the standard output", async () => {
  const { secret } = await platform.mint([Scope.READ]);
  const { code, stdout } = await report(
    secret,
    "--weekly",
    "--date",
    date,
    "--operators",
    "2",
    "--format",
    "json",
    "-o",
    "-",
  );
  expect(code).toBe(0);
  const { totals, badActors, operators, guidelines } = fromJsonString(FleetReportSchema, stdout);
  expect(totals).toMatchObject({ sensors: 1, reportingSensors: 1, alarms: 1, standing: 1 });
  expect(totals!.readings).toBeGreaterThan(0n);
  expect([operators, badActors[0]!.sensorId]).toEqual([2, "line-1/pump <1>"]);
  expect(guidelines.find(({ id }) => id === "peak_ten_minutes")!.measured).toBe(0.5);
});

test("who may not see every sensor is told so, and so is who asks for what has not begun", async () => {
  const { secret } = await platform.mint([Scope.READ], "line-1/");
  const refused = await report(secret, "--date", date, "-o", "-");
  expect(refused).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("this call concerns all") });
  const future = await report(platform.adminToken, "--date", "2999-01-01", "-o", "-");
  expect(future).toMatchObject({ code: 1, stderr: expect.stringContaining("has not begun yet") });
  expect((await report(platform.adminToken, "--date", "2026-02-30")).stderr).toContain("Wanted a day as 2026-03-09");
});
