import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { type CliRun, runCli } from "../support/cli.ts";
import { type Platform, startPlatform } from "../support/platform.ts";
import { end } from "../support/processes.ts";
import { allReadings } from "../support/readings.ts";

let platform: Platform;
let folder: string;
const runs: CliRun[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "telltale-cli-"));
  platform = await startPlatform();
});

afterAll(async () => {
  for (const run of runs) run.process.kill("SIGKILL");
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function cli(...args: string[]): CliRun {
  const run = runCli(...args, "--url", platform.grpc);
  runs.push(run);
  return run;
}

/** One a minute around 20, with a jump of a hundred deviations at the end. */
function jumpCsv(name: string): string {
  const rows = Array.from({ length: 200 }, (_, n) => 20 + Math.sin(n * 1.7) + (n >= 198 ? 100 : 0));
  const path = join(folder, name);
  writeFileSync(path, `value\n${rows.map((value) => value.toFixed(3)).join("\n")}\n`);
  return path;
}

test("replay tells the counts, and that a second run was all duplicates; --alerts says why", async () => {
  const file = jumpCsv("jump.csv");
  const first = cli("replay", file, "--sensor-id", "jump", "--unit", "C", "--alerts");
  expect(await first.ended).toBe(0);
  const [counts, , alert] = first.stdout().split("\n");
  expect(counts).toMatch(
    /^200 sent = 200 accepted \+ 0 duplicate \+ 0 conflicting \+ 0 rejected \(0 late\) in [\d.]+ s$/,
  );
  expect(alert).toMatch(/ jump {2}Anomaly detected with score 0\.\d{4}.* expected /);
  const second = cli("replay", file, "--sensor-id", "jump", "--unit", "C");
  expect(await second.ended).toBe(0);
  expect(second.stdout()).toMatch(/^200 sent = 0 accepted \+ 200 duplicate \+ 0 conflicting \+ 0 rejected/);
  expect(await allReadings(platform.grpc, "jump")).toHaveLength(200);
});

test("replay names a bad row by its line and leaves it out, or sends nothing, by choice", async () => {
  const file = join(folder, "bad.csv");
  writeFileSync(
    file,
    "timestamp,value\n2024-01-01T00:00:00Z,1\n2024-01-01T00:01:00Z,many\nyesterday,3\n2024-01-01T00:03:00Z,4\n",
  );
  const skipped = cli("replay", file, "--sensor-id", "bad");
  expect(await skipped.ended).toBe(0);
  expect(skipped.stdout()).toMatch(/^2 sent = 2 accepted/);
  expect(skipped.stderr()).toMatch(/bad\.csv, line 3, left out: value is "many"/);
  expect(skipped.stderr()).toMatch(/bad\.csv, line 4, left out: timestamp is "yesterday"/);
  const refused = cli("replay", file, "--sensor-id", "bad2", "--bad-rows", "refuse");
  expect(await refused.ended).toBe(1);
  expect(refused.stderr().trim()).toMatch(/bad\.csv, line 3: value is "many".*; nothing was sent\.$/);
  expect(await allReadings(platform.grpc, "bad2")).toEqual([]);
});

test("replay names each refused row by its line with the server's reason", async () => {
  const file = join(folder, "conflict.csv");
  writeFileSync(file, "timestamp,value\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:00Z,2\n");
  const run = cli("replay", file, "--sensor-id", "conflict");
  expect(await run.ended).toBe(0);
  expect(run.stdout()).toMatch(/^2 sent = 1 accepted \+ 0 duplicate \+ 1 conflicting/);
  expect(run.stderr()).toMatch(/conflict\.csv, line 3, refused: .*\b1\b/);
});

test("watch prints readings and alerts as they come, and Ctrl-C ends it cleanly", async () => {
  const readings = cli("watch", "readings", "--sensor-id", "watched", "--json");
  const alerts = cli("watch", "alerts", "--sensor-id", "watched");
  // A watch begins where it begins: send until both have seen something.
  const client = createDeviceClient({ url: platform.grpc, producer: "watch-test", lingerMs: 0 });
  let n = 0;
  await expect
    .poll(
      async () => {
        const watching = readings.stdout().length > 0;
        for (let more = 0; more < 50; more++, n++) {
          // Jumps that grow, so that none is like one before.
          const value = 20 + Math.sin(n * 1.7) + (watching && more > 47 ? n * n : 0);
          const observedAtUs = 1_700_000_000e6 + n * 60e6;
          await client.send({ sensorId: "watched", sensorType: "t", unit: "C", value, observedAtUs });
        }
        await client.flush();
        return readings.stdout().length > 0 && alerts.stdout().includes("Anomaly detected");
      },
      { timeout: 30_000, interval: 200 },
    )
    .toBe(true);
  await client.close();
  const seen = readings
    .stdout()
    .split("\n")
    .slice(0, -1)
    .map((line) => Date.parse((JSON.parse(line) as { observedAt: string }).observedAt));
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  expect(new Set(seen).size).toBe(seen.length);
  expect(alerts.stdout()).toMatch(/ opened +#\d+ {2}watched {2}Anomaly detected with score/);
  for (const run of [readings, alerts]) {
    run.process.kill("SIGINT");
    expect(await run.ended).toBe(0);
  }
});

test("simulate streams its plant and writes the truth about the faults", async () => {
  const labels = join(folder, "labels.csv");
  const args = [
    "--sensors",
    "5",
    "--readings",
    "1000",
    "--interval",
    "60",
    "--speed",
    "max",
    "--start",
    "2024-01-01T00:00:00Z",
  ];
  const run = cli("simulate", ...args, "--faults", "5", "--seed", "3", "--labels", labels);
  expect(await run.ended).toBe(0);
  const [, sent] = /^(\d+) sent = \1 accepted/.exec(run.stdout()) ?? [];
  expect(Number(sent)).toBeGreaterThan(4_000);
  const [head, ...lines] = readFileSync(labels, "utf8").trim().split("\n");
  expect(head).toBe("sensor_id,kind,start,end");
  expect(lines.length).toBeGreaterThan(5);
  for (const line of lines)
    expect(line).toMatch(/^(temperature|pressure|vibration|flow|power)-001,\w+,2024-01-0\dT.*Z,2024-01-0\dT.*Z$/);
});

test("errors are one sentence, without a stack", async () => {
  const missing = cli("replay", join(folder, "nothing.csv"), "--sensor-id", "x");
  expect(await missing.ended).toBe(1);
  expect(missing.stderr()).toMatch(/^There is no file .*nothing\.csv\.\n$/);
  const unknown = runCli("watch", "alerts", "--min-severity", "terrible");
  expect(await unknown.ended).toBe(1);
  expect(unknown.stderr()).toMatch(
    /^error: .*terrible.*low, medium, high, critical.*\n\(--help shows what is possible\)/,
  );
});

test.each<[name: string, args: () => string[], sentence: RegExp]>([
  ["a folder for a file", () => ["replay", folder, "-s", "x"], /is a folder; wanted a file\.$/],
  [
    "a file to score that is none",
    () => ["score", "nothing.csv", "-o", "out.csv"],
    /^There is no file nothing\.csv\.$/,
  ],
  ["scores that cannot be written", () => ["score", jumpCsv("in.csv"), "-o", folder], /is a folder; wanted a file\.$/],
  ["no address", () => ["replay", jumpCsv("in.csv"), "-s", "x", "--url", "nonsense"], /^The address is "nonsense"/],
  [
    "labels that cannot be written",
    () => ["simulate", "--readings", "1", "--labels", join(folder, "no/labels.csv")],
    /^There is no file .*labels\.csv\.$/,
  ],
])("%s: one sentence, at once, and exit code 1", async (_name, args, sentence) => {
  const run = runCli(...args());
  expect(await run.ended).toBe(1);
  expect(run.stderr().trim()).toMatch(sentence);
});

test("a simulation that did not get everything settled says so", async () => {
  const run = runCli("simulate", "--url", "http://127.0.0.1:1", "--labels", join(folder, "lost.csv"));
  runs.push(run);
  await expect.poll(() => run.stderr(), { timeout: 20_000 }).toContain("The server is away");
  run.process.kill("SIGINT");
  expect(await run.ended).not.toBe(0);
  expect(run.stderr()).toMatch(/\d+ of \d+ readings are not settled\.\n$/);
});

test("a replay that is interrupted ends at once and says how far it came", async () => {
  const run = cli("replay", jumpCsv("slow.csv"), "--sensor-id", "slow", "--speed", "60");
  await expect
    .poll(() => allReadings(platform.grpc, "slow").then((all) => all.length), { timeout: 20_000 })
    .toBeGreaterThan(0);
  run.process.kill("SIGINT");
  expect(await run.ended).toBe(130);
  expect(run.stderr()).toMatch(/Interrupted: \d+ of 200 rows are not settled\./);
});

test("a device client keeps readings on disk while the platform is away, and delivers them when it is back", async () => {
  const bufferDir = join(folder, "buffer");
  const options = { url: platform.grpc, producer: "offline", bufferDir };
  const reading = (n: number) => ({
    sensorId: "offline",
    sensorType: "t",
    unit: "C",
    value: n,
    observedAtUs: 1e15 + n * 1e6,
  });
  const first = createDeviceClient(options);
  await first.send(reading(0));
  await first.flush();
  const { dataDir, grpc } = platform;
  await end(platform.process);
  for (let n = 1; n < 2_000; n++) await first.send(reading(n));
  await first.close();
  platform = await startPlatform({ DATA_DIR: dataDir, GRPC_PORT: new URL(grpc).port });
  const second = createDeviceClient(options);
  expect((await second.flush()).accepted).toBeGreaterThanOrEqual(1_999n);
  await second.close();
  expect(await allReadings(platform.grpc, "offline")).toHaveLength(2_000);
});
