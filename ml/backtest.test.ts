import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type BacktestResponse, BacktestResponseSchema } from "../gen/es/telltale/v1/detector_pb.ts";
import { runRange } from "../server/backtest/range.ts";
import { createDetector } from "../server/detect/index.ts";
import { backtestSeries, SeriesSource } from "./backtest.ts";
import { page } from "./picture.ts";
import { scoreSeries } from "./score-series.ts";

const START = Date.UTC(2020, 0, 6) * 1000;
const MINUTE = 60e6;

/** A day and a half at one a minute, with a jump and, from `gap` on, an hour without a reading. */
function series(gap = 1500) {
  const timeUs: number[] = [];
  const value: number[] = [];
  for (let n = 0; n < 2200; n++) {
    if (n >= gap && n < gap + 60) continue;
    timeUs.push(START + n * MINUTE);
    value.push(20 + Math.sin(n * 1.7) + (n === 900 ? 100 : 0));
  }
  return { timeUs: Float64Array.from(timeUs), value: Float64Array.from(value) };
}

async function play(source: SeriesSource, pictureColumns = 0): Promise<BacktestResponse[]> {
  const all: BacktestResponse[] = [];
  await runRange({
    history: source,
    createDetector,
    job: {
      kind: "range",
      sensorIds: [],
      fromUs: 0,
      toUs: Number.POSITIVE_INFINITY,
      config: undefined,
      threshold: undefined,
      events: [],
      includeReadings: true,
      pictureColumns,
    },
    respond: async (bytes) => void all.push(fromBinary(BacktestResponseSchema, bytes)),
  });
  return all;
}

test("a file is judged as score judges it, and silence in it is an alert", async () => {
  const { timeUs, value } = series();
  const all = await play(new SeriesSource("a.csv", "C", timeUs, value));
  const scores = scoreSeries(timeUs, value);
  const readings = all.flatMap((r) => r.readings);
  expect(readings.map((r) => Math.round(r.confidence * 10_000))).toEqual([...scores.confidence]);
  expect(readings.map((r) => r.isAnomaly)).toEqual([...scores.anomaly].map((a) => a === 1));
  const alerts = all.flatMap((r) => r.alerts);
  const silence = alerts.filter((a) => a.alertType === "silence");
  expect(silence).toHaveLength(1);
  // Three usual intervals after the last reading, seen at the next second.
  const opened = Number(silence[0]!.openedAt!.seconds) * 1e6 + silence[0]!.openedAt!.nanos / 1000;
  expect(opened).toBeGreaterThanOrEqual(START + 1502 * MINUTE);
  expect(opened).toBeLessThan(START + 1505 * MINUTE);
  expect(silence[0]!.closedAt).toBeDefined();
  expect(alerts.some((a) => a.alertType === "anomaly_detection")).toBe(true);
});

test("rows that are not later than one before them are counted and passed over", async () => {
  const { timeUs, value } = series();
  const disorder = Float64Array.from([...timeUs, START + 5 * MINUTE]);
  const source = new SeriesSource("a.csv", "C", disorder, Float64Array.from([...value, 99]));
  expect(source.late).toBe(1);
  expect((await play(source)).flatMap((r) => r.readings)).toHaveLength(timeUs.length);
});

test("alerts are counted against labels, and nothing is made of an empty series", async () => {
  const { timeUs, value } = series();
  const jump = { fromUs: START + 899 * MINUTE, untilUs: START + 901 * MINUTE };
  const calm = { fromUs: START + 10 * MINUTE, untilUs: START + 20 * MINUTE };
  const summary = await backtestSeries(timeUs, value, [jump, calm]);
  expect(summary).toMatchObject({ labelsMet: 1n, labelsTotal: 2n, alertsRight: 1n });
  expect(summary.notes).toEqual([]);
  expect(summary.alertsWrong).toBe(summary.alerts - 1n);
  expect((await backtestSeries(new Float64Array(), new Float64Array(), [])).alerts).toBe(0n);
});

test("a picture shows series, band, alerts and labels, and escapes what people have written", async () => {
  const { timeUs, value } = series();
  const all = await play(new SeriesSource("<a & b>", "C", timeUs, value), 300);
  const pictures = all.flatMap((r) => r.picture ?? []);
  expect(pictures[0]!.times.length).toBeLessThanOrEqual(300);
  expect(Math.max(...pictures[0]!.high)).toBeGreaterThan(100);
  const html = page({ title: "t", summary: [], pictures, alerts: all.flatMap((r) => r.alerts) });
  expect(html).toContain("<h2>&lt;a &amp; b&gt;</h2>");
  expect(html).toMatch(/<polygon points="[\d., -]+"/);
  expect(html.match(/<tr><td>/g)).toHaveLength(all.flatMap((r) => r.alerts).length);
  expect(html).not.toMatch(/NaN|Infinity|undefined/);
});
