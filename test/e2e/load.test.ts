/** The load tests that come with the product, for a few seconds each: what they say has to be what happened. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { runNode } from "../../testing/cli.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { freePort } from "../../testing/processes.ts";
import { LOCUST, pythonWith } from "../../testing/python.ts";

const root = join(import.meta.dirname, "../..");
let platform: Platform;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "telltale-load-"));
  platform = await startPlatform();
});
afterAll(async () => {
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function load(name: string, ...args: string[]) {
  const files = ["--report", join(folder, `${name}.html`), "--json", join(folder, `${name}.json`)];
  const run = runNode([join(root, "cli/main.ts"), "load", ...args, ...files, "--prefix", name]);
  return {
    ...run,
    figures: () => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")),
    report: () => readFileSync(join(folder, `${name}.html`), "utf8"),
  };
}

async function stored(prefix: string, devices: number): Promise<number> {
  const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
  const stats = await Promise.all(
    Array.from({ length: devices }, (_, n) => query.getSensorStats({ sensorId: `${prefix}-${n}` })),
  );
  return stats.reduce((sum, { totalReadings }) => sum + Number(totalReadings), 0);
}

test.each([
  ["gRPC", ["durableMs", "settledMs"]],
  ["REST", ["settledMs"]],
] as const)("npm run load by %s sends at its rate, counts what is really stored, and draws it", async (by, delays) => {
  const listeners = by === "REST" ? ["--rest", platform.http] : ["--url", platform.grpc];
  const name = by.toLowerCase();
  const run = load(name, ...listeners, "--devices", "20", "--rate", "5", "--seconds", "2");
  expect(await run.ended, run.stdout() + run.stderr()).toBe(0);
  expect(run.stdout()).toMatch(/^200 sent, 200 settled, 0 errors;/);
  const figures = run.figures();
  expect(figures).toMatchObject({ by, devices: 20, rate: 100, sent: 200, settled: 200, failed: 0, unsettled: 0 });
  expect(await stored(name, 20)).toBe(200);
  for (const which of delays) {
    const { p50, p99, max } = figures[which];
    expect(p50).toBeGreaterThan(0);
    expect(p99).toBeGreaterThanOrEqual(p50);
    expect(max).toBeGreaterThanOrEqual(p99);
  }
  const page = run.report();
  expect(page.match(/<svg /g)).toHaveLength(3);
  expect(page).not.toMatch(/NaN|Infinity|undefined|<script|(src|href)=/);
  expect(page).toContain(`<td>200</td>`);
});

test("npm run load against nothing says what failed and ends with 1", async () => {
  const url = `http://127.0.0.1:${await freePort()}`;
  const run = load("nothing", "--rest", url, "--devices", "5", "--rate", "2", "--seconds", "1");
  expect(await run.ended).toBe(1);
  expect(run.stdout()).toMatch(/^10 sent, 0 settled, 10 errors;/);
  expect(run.stdout()).toContain("10 × connect ECONNREFUSED");
  expect(run.report()).toContain("nothing was settled");
});

describeWith(["python3"], "locust with test/load_test.py", () => {
  test("runs REST and gRPC devices without a failure", { timeout: 300_000 }, async () => {
    const bin = await pythonWith(LOCUST);
    const args = ["-f", join(root, "test/load_test.py"), "--headless", "-u", "6", "-r", "6", "-t", "4s"];
    const files = ["--host", platform.http, "--only-summary", "--csv", join(folder, "locust")];
    const env = { ...process.env, TELLTALE_URL: platform.grpc };
    const said = await new Promise<string>((resolve, reject) => {
      execFile(join(bin, "locust"), [...args, ...files], { env, timeout: 120_000 }, (error, stdout, stderr) =>
        error === null ? resolve(stdout + stderr) : reject(new Error(stdout + stderr)),
      );
    });
    const rows = readFileSync(join(folder, "locust_stats.csv"), "utf8").split("\n");
    const requests = (name: string) => Number(rows.find((row) => row.split(",")[1] === name)?.split(",")[2]);
    for (const name of ["/api/v1/sensors/data", "StreamReadings"]) expect(requests(name), said).toBeGreaterThan(0);
    expect(rows.find((row) => row.includes(",Aggregated,"))?.split(",")[3], said).toBe("0");
  });
});
