import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { backtestCommand } from "./backtest.ts";
import { scoreCommand } from "./score.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-score-"));
  vi.spyOn(console, "error").mockReturnValue();
  vi.spyOn(console, "log").mockReturnValue();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

const said = () => [...vi.mocked(console.error).mock.calls, ...vi.mocked(console.log).mock.calls].flat().join("\n");
const score = (...args: string[]) => scoreCommand().parseAsync(args, { from: "user" });
const calm = (i: number) => (20 + ((i * 7919) % 13) / 10).toFixed(2);

test("each row of a CSV comes back in order with the added columns, and a jump is flagged", async () => {
  const rows = Array.from({ length: 400 }, (_, i) => `${i === 300 ? 90 : calm(i)}`);
  await writeFile(join(folder, "in.csv"), `value\n${rows.join("\n")}\n`);
  await score(join(folder, "in.csv"), "--out", join(folder, "deep/out.csv"));
  const out = (await readFile(join(folder, "deep/out.csv"), "utf8")).trimEnd().split("\n");
  expect(out[0]).toBe("value,signal,anomaly_score,confidence,is_anomaly,expected,lower,upper,reason");
  expect(out.slice(1).map((line) => line.split(",")[0])).toEqual(rows);
  const cells = out[301]!.split(",");
  expect(Number(cells[1])).toBeGreaterThan(0);
  expect(cells[4]).toBe("1");
  expect(cells[8]).not.toBe("");
  expect(Number(cells[6])).toBeLessThan(Number(cells[5]));
});

test("a folder's tree is kept, and each file is a sensor of its own", async () => {
  await mkdir(join(folder, "in/a"), { recursive: true });
  const text = `timestamp,value\n${Array.from({ length: 50 }, (_, i) => `2024-01-01 00:${String(i).padStart(2, "0")}:00,${calm(i)}`).join("\n")}\n`;
  await writeFile(join(folder, "in/a/x.csv"), text);
  await writeFile(join(folder, "in/y.csv"), text);
  await score(join(folder, "in"), "--out", join(folder, "out"));
  const x = await readFile(join(folder, "out/a/x.csv"), "utf8");
  expect(x).toBe(await readFile(join(folder, "out/y.csv"), "utf8"));
  expect(x.split("\n")[1]).toMatch(/^2024-01-01 00:00:00,20\.00,0,0,0,0,,,,$/);
});

test("a bad row is named by its line, keeps its place with empty scores, or stops by choice", async () => {
  const file = join(folder, "in.csv");
  await writeFile(
    file,
    "timestamp,value\n2024-01-01T00:00:00Z,1\nyesterday,2\n2024-01-01T00:02:00Z,abc\n2024-01-01T00:03:00Z,4\n",
  );
  await score(file, "--out", join(folder, "out.csv"));
  expect(said()).toContain(`${file}, line 3: timestamp is "yesterday"`);
  expect(said()).toContain(`${file}, line 4: value is "abc"`);
  const out = (await readFile(join(folder, "out.csv"), "utf8")).trimEnd().split("\n");
  expect(out).toHaveLength(5);
  expect(out[2]).toBe("yesterday,2,,,,,,,,");
  expect(said()).toContain("2 rows were lost: exit code 1. --allow-loss makes it 0.");
  expect(process.exitCode).toBe(1);
  process.exitCode = undefined;
  await score(file, "--out", join(folder, "out.csv"), "--allow-loss");
  expect(process.exitCode).toBeUndefined();
  await expect(score(file, "--out", join(folder, "o.csv"), "--bad-rows", "refuse")).rejects.toThrow(/line 3/);
});

test("a file that is newest first is judged in the order of time and keeps the order of its rows", async () => {
  const stamp = (i: number) => new Date(Date.UTC(2024, 0, 1, 0, i)).toISOString();
  const rows = Array.from({ length: 400 }, (_, i) => `${stamp(i)},${i === 300 ? 90 : calm(i)}`);
  const write = (name: string, lines: string[]) =>
    writeFile(join(folder, name), `timestamp,value\n${lines.join("\n")}\n`);
  await write("in.csv", rows);
  await write("newest.csv", rows.toReversed());
  await score(join(folder, "in.csv"), "--out", join(folder, "out.csv"));
  await score(join(folder, "newest.csv"), "--out", join(folder, "newest-out.csv"));
  const out = async (name: string) => (await readFile(join(folder, name), "utf8")).trimEnd().split("\n").slice(1);
  expect(await out("newest-out.csv")).toEqual((await out("out.csv")).toReversed());
  expect(said()).toContain("the rows are not in the order of time and were sorted");
});

test("a row that is not later than the one before is kept, not judged, and counted", async () => {
  await writeFile(join(folder, "in.csv"), "timestamp,value\n2024-01-01T00:00:00Z,1\n2024-01-01T00:00:00Z,2\n");
  await score(join(folder, "in.csv"), "--out", join(folder, "out.csv"));
  expect(said()).toContain("1 row is not later than the row before");
});

test("a file of decimal commas gets its scores so, and no cell of it can be a formula", async () => {
  const rows = Array.from(
    { length: 60 },
    (_, i) => `2024-01-01 00:${String(i).padStart(2, "0")}:00;${calm(i).replace(".", ",")};=1+1`,
  );
  await writeFile(join(folder, "in.csv"), `time;value;note\n${rows.join("\n")}\n`);
  await score(join(folder, "in.csv"), "--out", join(folder, "out.csv"));
  const last = (await readFile(join(folder, "out.csv"), "utf8")).trimEnd().split("\n").at(-1)!;
  expect(last).toMatch(/^2024-01-01 00:59:00;\d+,\d+;'=1\+1;\d+(,\d+)?;[\d,]+;[\d,]+;0;/);
});

test("a backtest tells the alerts, what they met of the labels, and draws them", async () => {
  const stamp = (i: number) => new Date(Date.UTC(2024, 0, 1, 0, i)).toISOString();
  const rows = Array.from({ length: 2000 }, (_, i) => `${stamp(i)},${i >= 1500 && i < 1520 ? 95 : calm(i)}`);
  await writeFile(join(folder, "in.csv"), `timestamp,value\n${rows.join("\n")}\n`);
  await writeFile(
    join(folder, "labels.json"),
    JSON.stringify([
      [stamp(1490), stamp(1530)],
      [stamp(100), stamp(110)],
    ]),
  );
  const args = [
    join(folder, "in.csv"),
    "--labels",
    join(folder, "labels.json"),
    "--html",
    join(folder, "out.html"),
    "--unit",
    "C",
  ];
  await backtestCommand().parseAsync(args, { from: "user" });
  expect(said()).toMatch(
    /2024-01-02T01:00:00\.000Z +\d+ min +\w+ +in\.csv +Anomaly detected with score 0\.\d{4}.*: sensor in\.csv stuck at 95 C since 2024-01-02 01:00:00 UTC; \w+: 95 C where /,
  );
  expect(said()).toContain("1 of 2 labelled events met; 1 alert right, 0 wrong");
  const page = await readFile(join(folder, "out.html"), "utf8");
  expect(page).toContain("<svg");
  expect(page).toContain("Anomaly detected with score");
  expect(page).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
  expect(page).toContain("prefers-color-scheme:dark");
});

test("labels may have a byte order mark, quotes, commas in ids and another delimiter; a wrong one is named by its line", async () => {
  const stamp = (i: number) => new Date(Date.UTC(2024, 0, 1, 0, i)).toISOString();
  const rows = [0, 1].flatMap((sensor) =>
    Array.from({ length: 600 }, (_, i) => `${stamp(i)};"pump, ${sensor}";${i >= 500 && i < 520 ? 95 : calm(i)}`),
  );
  const file = join(folder, "in.csv");
  await writeFile(file, `time;sensor_id;value\n${rows.join("\n")}\n`);
  const labels = join(folder, "labels.csv");
  await writeFile(labels, `\ufeff"sensor_id","start","end"\r\n"pump, 1","${stamp(495)}","${stamp(525)}"\r\n`);
  await backtestCommand().parseAsync([file, "--labels", labels], { from: "user" });
  expect(said()).toContain("1 of 1 labelled event met");
  expect(said()).toMatch(/ pump, 0 {2}Anomaly detected/);
  await writeFile(labels, `sensor_id,start,end\n"pump, 1",${stamp(5)},${stamp(4)}\n`);
  await expect(backtestCommand().parseAsync([file, "--labels", labels], { from: "user" })).rejects.toThrow(
    /labels\.csv, line 2: it ends before it starts/,
  );
});
