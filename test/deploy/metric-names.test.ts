/** Names, types and life of the metrics: what Prometheus' own tool says of them, and that each can change. */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GatewayMetrics } from "../../gateway/metrics.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { root } from "./support/image.ts";

/** Kept to the letter for those who have it in their queries. */
const KEPT = ["active_sensors_count"];

describe("every metric", () => {
  const sources = ["server", "gateway"]
    .flatMap((folder) => globSync(`${folder}/**/*.ts`, { cwd: root }))
    .filter((file) => !/\.test\.ts$|observe\/metrics\.ts$|gateway\/metrics\.ts$/.test(file))
    .map((file) => readFileSync(join(root, file), "utf8"))
    .join("\n");
  const changes = "inc|dec|set|observe|startTimer";
  const objects = { ...createMetrics({ processMetrics: false }), ...new GatewayMetrics() };
  const names = Object.entries(objects).flatMap(([name, one]) => (isMetric(one) ? [name] : []));

  test("is known to this test", () => {
    expect(names.length).toBeGreaterThan(30);
  });

  test.each(names)("%s is changed somewhere", (name) => {
    // Readings stored are counted by a function of the metrics' own, which bounds the number of types.
    const used = name === "sensorData" ? /\bcountStored\(/ : new RegExp(`\\b${name}\\.(${changes})\\(`);
    expect(sources).toMatch(used);
  });
});

function isMetric(one: unknown): boolean {
  return typeof one === "object" && one !== null && "labelNames" in one && "name" in one;
}

describeWith(["promtool"], "the pages of a running platform, by Prometheus' own tool", () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await startPlatform();
    const reading = { sensor_id: "a", sensor_type: "temperature", value: 21.5, unit: "C" };
    const stored = await fetch(`${platform.http}/api/v1/sensors/data`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(reading),
    });
    expect(stored.status).toBe(200);
  }, 120_000);
  afterAll(() => platform?.stop());

  test.each([
    ["gRPC", () => `${platform.grpc}/metrics`],
    ["HTTP", () => `${platform.http}/api/v1/monitoring/metrics`],
  ])("have nothing to complain of: %s", async (_, url) => {
    const page = await (await fetch(url())).text();
    expect(page).toContain("sensor_data_total");
    const { stdout, stderr } = spawnSync(program("promtool")!, ["check", "metrics"], { input: page, encoding: "utf8" });
    const complaints = `${stdout}${stderr}`.split("\n").filter(Boolean);
    expect(complaints.filter((line) => !KEPT.some((name) => line.startsWith(`${name} `)))).toEqual([]);
  });

  test("name times as Prometheus does", async () => {
    const page = await (await fetch(`${platform.grpc}/metrics`)).text();
    const types = [...page.matchAll(/^# HELP (\S+) (.*since 1970.*)$/gm)].map(([, name]) => name);
    expect(types).toContain("telltale_maintenance_last_run_timestamp_seconds");
    expect(types.filter((name) => !name!.endsWith("_timestamp_seconds"))).toEqual([]);
  });
});
