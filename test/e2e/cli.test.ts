import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { type CliRun, runCli } from "../../testing/cli.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { allReadings } from "../../testing/readings.ts";

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

test("send tells the counts, and that a second run was all duplicates; --alerts says why", async () => {
  const file = jumpCsv("jump.csv");
  const first = cli("send", file, "--sensor-id", "jump", "--unit", "C", "--alerts");
  expect(await first.ended).toBe(0);
  const [counts, , alert] = first.stdout().split("\n");
  expect(counts).toMatch(
    /^200 sent = 200 accepted \+ 0 duplicate \+ 0 conflicting \+ 0 rejected \(0 late\) in [\d.]+ s$/,
  );
  expect(alert).toMatch(/ jump {2}Anomaly detected with score 0\.\d{4}.* expected /);
  const second = cli("send", file, "--sensor-id", "jump", "--unit", "C");
  expect(await second.ended).toBe(0);
  expect(second.stdout()).toMatch(/^200 sent = 0 accepted \+ 200 duplicate \+ 0 conflicting \+ 0 rejected/);
  expect(await allReadings(platform.grpc, "jump")).toHaveLength(200);
});

test("send names a bad row by its line and leaves it out, or sends nothing, by choice", async () => {
  const file = join(folder, "bad.csv");
  writeFileSync(
    file,
    "timestamp,value\n2024-01-01T00:00:00Z,1\n2024-01-01T00:01:00Z,many\nyesterday,3\n2024-01-01T00:03:00Z,4\n",
  );
  const skipped = cli("send", file, "--sensor-id", "bad");
  expect(await skipped.ended).toBe(1);
  expect(skipped.stderr()).toMatch(/2 rows were lost: exit code 1\. --allow-loss makes it 0\.\n$/);
  expect(skipped.stdout()).toMatch(/^2 sent = 2 accepted/);
  expect(skipped.stderr()).toMatch(/bad\.csv, line 3, left out: value is "many"/);
  expect(skipped.stderr()).toMatch(/bad\.csv, line 4, left out: timestamp is "yesterday"/);
  const allowed = cli("send", file, "--sensor-id", "bad", "--allow-loss");
  expect(await allowed.ended).toBe(0);
  expect(allowed.stdout()).toMatch(/^2 sent = 0 accepted \+ 2 duplicate/);
  const refused = cli("send", file, "--sensor-id", "bad2", "--bad-rows", "refuse");
  expect(await refused.ended).toBe(1);
  expect(refused.stderr().trim()).toMatch(/bad\.csv, line 3: value is "many".*; nothing was sent\.$/);
  expect(await allReadings(platform.grpc, "bad2")).toEqual([]);
});

test("send goes on, with its exit code, when nobody reads what it prints", async () => {
  const file = join(folder, "unread.csv");
  writeFileSync(file, "timestamp,value\n2024-01-01T00:00:00Z,1\n2024-01-01T00:01:00Z,many\n");
  const run = cli("send", file, "--sensor-id", "unread", "--alerts");
  run.process.stdout!.destroy();
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(/1 row was lost: exit code 1/);
  expect(await allReadings(platform.grpc, "unread")).toHaveLength(1);
});

test("send names each refused row by its line with the server's reason", async () => {
  const file = join(folder, "conflict.csv");
  writeFileSync(file, "timestamp,value\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:00Z,2\n");
  const run = cli("send", file, "--sensor-id", "conflict");
  // A reading that was not stored is lost.
  expect(await run.ended).toBe(1);
  expect(run.stdout()).toMatch(/^2 sent = 1 accepted \+ 0 duplicate \+ 1 conflicting/);
  expect(run.stderr()).toMatch(/conflict\.csv, line 3, refused: .*\b1\b/);
});

test("send says what it understood before the first reading, sorts by time, and knows the sensors of a file", async () => {
  const file = join(folder, "long.csv");
  writeFileSync(
    file,
    "\ufeffDatum;Sensor;Messwert;Einheit\r\n13.02.2026 00:02:00;long-1;1.019,88;C\r\n13.02.2026 00:01:00;long-2;2,5;bar\r\n13.02.2026 00:01:00;long-1;;C\r\n13.02.2026 00:00:00;long-1;3,5;C\r\n",
  );
  const run = cli("send", file, "--time-zone", "Europe/Berlin");
  expect(await run.ended, run.stderr()).toBe(0);
  expect(run.stderr()).toContain(
    'time "Datum" (day-first, without a zone, taken as Europe/Berlin); value "Messwert"; sensor "Sensor"; unit "Einheit"; delimiter ";"; decimal mark "," (as seen)',
  );
  expect(run.stderr()).toContain(
    "3 readings of 2 sensors, 2026-02-12T23:00:00.000Z to 2026-02-12T23:02:00.000Z; first 2026-02-12T23:00:00.000Z 3.5 (line 5); 1 cell without a value; the rows are not in the order of time and were sorted",
  );
  const stored = await allReadings(platform.grpc, "long-1");
  expect(stored.map(({ value, late }) => [value, late])).toEqual([
    [1019.88, false],
    [3.5, false],
  ]);
});

test("a sensor whose place changes from row to row has its readings in order, sent as a file or uploaded", async () => {
  const rows = Array.from(
    { length: 60 },
    (_, n) => `2026-02-13T00:00:${String(n).padStart(2, "0")}Z,${n},dock ${n % 3}`,
  );
  const text = (id: string) => `time,value,location,sensor_id\n${rows.map((row) => `${row},${id}\n`).join("")}`;
  const file = join(folder, "moving.csv");
  writeFileSync(file, text("moving"));
  const run = cli("send", file);
  expect(await run.ended, run.stderr()).toBe(0);
  expect(run.stdout()).toMatch(/^60 sent = 60 accepted .* \(0 late\)/);
  const upload = await fetch(`${platform.http}/api/v1/sensors/data/bulk`, {
    ...{ method: "POST", headers: { "content-type": "text/csv" }, body: text("uploaded") },
  });
  expect(await upload.json()).toMatchObject({ accepted: 60, late: 0 });
  // Every second reading has something beside its number.
  const lines = rows.map((row, n) => {
    const [time, value] = row.split(",");
    const metadata = n % 2 === 0 ? {} : { metadata: { shift: "early" } };
    return `${JSON.stringify({ sensor_id: "noted", sensor_type: "t", unit: "C", observed_at: time, value: Number(value), ...metadata })}\n`;
  });
  const noted = await fetch(`${platform.http}/api/v1/sensors/data/bulk`, {
    ...{ method: "POST", headers: { "content-type": "application/x-ndjson" }, body: lines.join("") },
  });
  expect(await noted.json()).toMatchObject({ accepted: 60, late: 0 });
});

test.each<[name: string, text: string, why: RegExp]>([
  ["has its times in a column of another name", "when,value\n2026-01-01,1\n", /--time-column decides/],
  ["may have decimal commas", "value\n19,88\n", /--decimal , or --delimiter decides/],
  ["may have day or month first", "time,value\n01/02/2026,1\n", /--day-first or --month-first decides/],
  ["has no row that can be read", "time,value\n2026-01-01,x\n", /no row can be read; nothing was sent/],
  ["has no row", "time,value\n", /there is no row below the names of the columns/],
  ["names no sensor", "time,value\n2026-01-01,1\n", /names no sensor: --sensor-id says which it is/],
])("a file that %s is refused, and nothing is sent", async (name, text, why) => {
  const file = join(folder, "refused.csv");
  writeFileSync(file, text);
  const run = cli("send", file, ...(name === "names no sensor" ? [] : ["--sensor-id", "nothing"]));
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(why);
  expect(run.stdout()).toBe("");
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
    expect(run.stderr()).toBe("");
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
  const missing = cli("send", join(folder, "nothing.csv"), "--sensor-id", "x");
  expect(await missing.ended).toBe(1);
  expect(missing.stderr()).toMatch(/^There is no file .*nothing\.csv\.\n$/);
  const unknown = runCli("watch", "alerts", "--min-severity", "terrible");
  expect(await unknown.ended).toBe(1);
  expect(unknown.stderr()).toMatch(/^error: .*terrible.*low, medium, high, critical.*\n\(--help lists the options\)/);
});

test.each<[name: string, args: () => string[], sentence: RegExp]>([
  ["a folder for a file", () => ["send", folder, "-s", "x"], /is a folder; wanted a file\.$/],
  [
    "a file to score that is none",
    () => ["score", "nothing.csv", "-o", "out.csv"],
    /^There is no file nothing\.csv\.$/,
  ],
  ["scores that cannot be written", () => ["score", jumpCsv("in.csv"), "-o", folder], /is a folder; wanted a file\.$/],
  ["a day and a week", () => ["report", "--daily", "--weekly"], /'--weekly' cannot be used with option '--daily'/],
  [
    "a buffer in a file",
    () => ["send", jumpCsv("in.csv"), "-s", "x", "--buffer", jumpCsv("b")],
    /b is a file; wanted a folder\.$/,
  ],
  ["no address", () => ["send", jumpCsv("in.csv"), "-s", "x", "--url", "nonsense"], /^The address is "nonsense"/],
  [
    "labels that cannot be written",
    () => ["simulate", "--readings", "1", "--labels", join(folder, "no/labels.csv")],
    /^There is no folder .*no for .*labels\.csv\.$/,
  ],
])("%s: one sentence, at once, and exit code 1", async (_name, args, sentence) => {
  const run = runCli(...args());
  expect(await run.ended).toBe(1);
  expect(run.stderr().trim()).toMatch(sentence);
});

test("a simulation that did not get everything settled says so", async () => {
  const run = runCli("simulate", "--url", "http://127.0.0.1:1", "--labels", join(folder, "lost.csv"));
  runs.push(run);
  await expect.poll(() => run.stderr()).toContain("The server is unavailable");
  run.process.kill("SIGINT");
  expect(await run.ended).not.toBe(0);
  expect(run.stderr()).toMatch(/\d+ of \d+ readings are not settled\.\n$/);
});

test("replay, the former name of send, works; interrupted, it ends at once and says how far it came", async () => {
  const run = cli("replay", jumpCsv("slow.csv"), "--sensor-id", "slow", "--speed", "60");
  await expect.poll(() => allReadings(platform.grpc, "slow").then((all) => all.length)).toBeGreaterThan(0);
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

/** A file that was there before a command that writes it. */
function keptFile(): string {
  const path = join(folder, "kept.txt");
  writeFileSync(path, "precious\n");
  return path;
}

const NOWHERE = "http://127.0.0.1:1";

test.each<[name: string, args: (file: string) => string[], why: RegExp]>([
  [
    "simulate with an address that is none",
    (file) => ["simulate", "--labels", file, "--url", "nonsense"],
    /address is "nonsense"/,
  ],
  ["backtest without a server", (file) => ["backtest", "--out", file, "--url", NOWHERE], /cannot be reached/],
  [
    "load with an address that is none",
    (file) => ["load", "--report", file, "--url", "nonsense"],
    /address is "nonsense"/,
  ],
])("%s leaves the file that it would write as it was", async (_, args, why) => {
  const file = keptFile();
  const run = runCli(...args(file));
  runs.push(run);
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(why);
  expect(readFileSync(file, "utf8")).toBe("precious\n");
});

test("simulate empties its file of labels once the server has taken a reading, and not before", async () => {
  const file = keptFile();
  const refused = runCli("simulate", "--labels", file, "--url", NOWHERE, "--readings", "3", "--speed", "max");
  runs.push(refused);
  await expect.poll(() => refused.stderr()).toContain("is unavailable");
  refused.process.kill("SIGKILL");
  await refused.ended;
  expect(readFileSync(file, "utf8")).toBe("precious\n");
  const taken = cli("simulate", "--labels", file, "--readings", "3", "--speed", "max", "--prefix", "labels-");
  expect(await taken.ended, taken.stderr()).toBe(0);
  expect(readFileSync(file, "utf8")).toMatch(/^sensor_id,kind,start,end\n/);
});

test("load says before it begins that its report cannot be written", async () => {
  const run = cli("load", "--seconds", "3600", "--report", join(folder, "nowhere", "load.html"));
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(/^There is no folder .*nowhere for .*load\.html\.\n$/);
});

test.skipIf(process.platform !== "linux")("send with a buffer that cannot be made there says so", async () => {
  const file = jumpCsv("buffered.csv");
  const run = cli("send", file, "--sensor-id", "buffered", "--buffer", "/proc/telltale-buffer");
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(/The folder \/proc\/telltale-buffer cannot be made there\.\n$/);
});

test.skipIf(process.platform !== "linux")("simulate names the file of labels whose disk is full", async () => {
  const run = cli("simulate", "--labels", "/dev/full", "--readings", "3", "--speed", "max", "--prefix", "full-");
  expect(await run.ended).toBe(1);
  expect(run.stderr()).toMatch(/The disk of \/dev\/full is full\.\n$/);
});
