/** Alerts that the guide shows are those of the detector as it is. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { backtestCommand } from "../../cli/commands/backtest.ts";
import { Plant } from "../../formats/plant.ts";

const GUIDES = ["getting-started.md", "concepts/detector-settings.md"].map(
  (name) => new URL(`../../docs/${name}`, import.meta.url),
);
const START_US = Date.UTC(2026, 10, 1) * 1_000;
const iso = (us: number) => new Date(us / 1_000).toISOString();

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "telltale-guide-"));
  // As `simulate --sensors 10 --interval 60 --readings 5000 --seed 7` sends it.
  const plant = new Plant({ seed: 7, sensors: 10, intervalUs: 60e6, faultRate: 0.001 });
  const rows = ["timestamp,sensor_id,sensor_type,unit,location,value"];
  for (let n = 0; n < 5_000; n++) {
    for (const { observedAtUs, sensorId, sensorType, unit, location, value } of plant.step(START_US + n * 60e6)
      .readings)
      rows.push([iso(observedAtUs), sensorId, sensorType, unit, location, value].join(","));
  }
  await writeFile(join(folder, "plant.csv"), `${rows.join("\n")}\n`);
});
afterAll(() => rm(folder, { recursive: true }));

/** What a backtest prints of its alerts. */
async function alertLines(): Promise<string[]> {
  const [log] = [vi.spyOn(console, "log").mockReturnValue(), vi.spyOn(console, "error").mockReturnValue()];
  await backtestCommand().parseAsync([join(folder, "plant.csv")], { from: "user" });
  const lines = log.mock.calls.flat().join("\n").split("\n");
  vi.restoreAllMocks();
  return lines;
}

test("the guides' plant gives the alerts that they show, as severe as they show them", async () => {
  const guides = (await Promise.all(GUIDES.map((guide) => readFile(guide, "utf8")))).join("\n");
  const lines = await alertLines();
  const inAnswers = [
    ...guides.matchAll(/"severity":"(\w+)","message":"(Anomaly detected with score [\d.]+, recovered [^:]+:[^:]+)/g),
  ];
  const avoided = [
    ...guides.matchAll(/^- \S+Z +(\w+) .*?(Anomaly detected with score [\d.]+, recovered [^:]+:[^:]+)/gm),
  ];
  const shown = [...inAnswers, ...avoided].map(([, severity, text]) => ({ severity: severity!, text: text! }));
  expect(shown.length).toBe(3);
  for (const { severity, text } of shown)
    expect(lines).toContainEqual(expect.stringMatching(new RegExp(` ${severity} .*${RegExp.escape(text)}`)));
});
