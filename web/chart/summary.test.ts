import { expect, test } from "vitest";
import type { ChartData } from "./series.ts";
import { pointText, summaryOf } from "./summary.ts";

const DATA: ChartData = {
  ...{ unit: "C", raw: true, columnMs: 0, otherUnits: [] },
  times: [0, 60_000],
  ...{ first: [1, 9], low: [1, 9], high: [1, 9], last: [1, 9] },
  ...{
    expected: [null, 1.5],
    lower: [null, 1],
    upper: [null, 2],
    counts: [1, 1],
    anomalies: [0, 1],
    scores: [0, 0.95],
  },
};

test("a chart is said in sentences, with its strongest anomaly", () => {
  expect(summaryOf("boiler", DATA, "UTC")).toBe(
    "boiler: 2 readings from 1970-01-01 00:00:00 to 1970-01-01 00:01:00 (1 min), between 1\u202fC and 9\u202fC, last 9\u202fC. " +
      "One is anomalous, the strongest at 1970-01-01 00:01:00 with a score of 0.95.",
  );
  // Columns stand for their middles; their readings are from the first one's beginning to the last one's end.
  expect(summaryOf("boiler", { ...DATA, raw: false, columnMs: 60_000, times: [30_000, 90_000] }, "UTC")).toBe(
    "boiler: 2 readings from 1970-01-01 00:00:00 to 1970-01-01 00:02:00 (2 min), between 1\u202fC and 9\u202fC, last 9\u202fC. " +
      "One is anomalous, the strongest within 1 min from 1970-01-01 00:01:00 with a score of 0.95.",
  );
  const empty = { ...DATA, times: [], counts: [], low: [], high: [], last: [], anomalies: [] };
  expect(summaryOf("boiler", empty, "UTC")).toBe("boiler has no reading in this range.");
});

test("a point says what was expected and what would have been normal", () => {
  expect(pointText(DATA, 1, "UTC")).toBe(
    "1970-01-01 00:01:00: 9\u202fC; expected 1.5\u202fC; normal 1\u202fC to 2\u202fC; anomalous, score 0.95",
  );
  expect(pointText(DATA, 0, "UTC")).toBe("1970-01-01 00:00:00: 1\u202fC");
});
