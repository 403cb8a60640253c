import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { GetSeriesResponseSchema, type Series, SeriesSchema } from "../../gen/web/telltale/v1/chart_pb.ts";
import { chartDataOf, nearest, severityOfScore, withTail } from "./series.ts";

const response = create(GetSeriesResponseSchema, {
  columnWidthUs: 60_000_000n,
  firstColumnTime: { seconds: 600n, nanos: 0 },
  columnCount: 10,
});
const raw: Series = create(SeriesSchema, {
  ...{ sensorId: "s", unit: "C", raw: true },
  readings: {
    observedAtUs: [1_000_000n, 2_000_500n, 3_000_000n],
    values: [1, 2, 9],
    expectedValues: [Number.NaN, 2, 2],
    lowerBounds: [Number.NaN, 1, 1],
    upperBounds: [Number.NaN, 3, 3],
    anomalies: [false, false, true],
    anomalyScores: [0, 0, 0.95],
  },
});

test("single readings keep their times, and what there is not is null", () => {
  const data = chartDataOf(response, raw);
  expect(data).toMatchObject({
    raw: true,
    columnMs: 0,
    times: [1_000, 2_000.5, 3_000],
    expected: [null, 2, 2],
    anomalies: [0, 0, 1],
  });
});

test("a column is drawn at its middle", () => {
  const columns = {
    indexes: [0, 3],
    counts: [2n, 1n],
    firstValues: [1, 2],
    minValues: [0, 2],
    maxValues: [5, 2],
    lastValues: [4, 2],
  };
  const more = {
    expectedValues: [1, 2],
    lowerBounds: [0, 1],
    upperBounds: [2, 3],
    anomalyCounts: [1n, 0n],
    maxAnomalyScores: [0.7, 0],
  };
  const data = chartDataOf(
    response,
    create(SeriesSchema, { sensorId: "s", unit: "C", columns: { ...columns, ...more } }),
  );
  expect(data).toMatchObject({
    raw: false,
    columnMs: 60_000,
    times: [630_000, 810_000],
    high: [5, 2],
    counts: [2, 1],
    scores: [0.7, 0],
  });
});

test("the nearest point is found, also beyond both ends", () => {
  expect([-5, 4, 6, 99].map((ms) => nearest([0, 10, 20], ms))).toEqual([0, 0, 1, 2]);
  expect(nearest([], 1)).toBe(-1);
});

test("live readings come behind what is shown, once, and old ones leave", () => {
  const tail = (atMs: number) => ({
    atMs,
    value: atMs,
    expected: undefined,
    lower: undefined,
    upper: undefined,
    isAnomaly: false,
    score: 0,
  });
  const data = withTail(chartDataOf(response, raw), [tail(5_000), tail(3_000), tail(4_000)], 2_000);
  expect(data.times).toEqual([2_000.5, 3_000, 4_000, 5_000]);
  expect(data.last).toEqual([2, 9, 4_000, 5_000]);
  expect(data.lower).toEqual([1, 1, null, null]);
});

test("severities are the platform's", () => {
  expect([0.95, 0.9, 0.85, 0.6, 0.1].map(severityOfScore)).toEqual(["critical", "critical", "high", "medium", "low"]);
});
