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
  await expect(score(file, "--out", join(folder, "o.csv"), "--bad-rows", "refuse")).rejects.toThrow(/line 3/);
});

test("a row that is not later than the one before is kept, not judged, and counted", async () => {
  await writeFile(join(folder, "in.csv"), "timestamp,value\n2024-01-01T00:01:00Z,1\n2024-01-01T00:00:00Z,2\n");
  await score(join(folder, "in.csv"), "--out", join(folder, "out.csv"));
  expect(said()).toContain("1 rows are not later than the row before them");
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
    /2024-01-02T01:00:00\.000Z +\d+ min +\w+ +in\.csv +Anomaly detected with score 0\.\d{4}: value 95 C is far above/,
  );
  expect(said()).toContain("1 of 2 labelled events met; 1 alerts right, 0 wrong");
  const page = await readFile(join(folder, "out.html"), "utf8");
  expect(page).toContain("<svg");
  expect(page).toContain("Anomaly detected with score");
});
