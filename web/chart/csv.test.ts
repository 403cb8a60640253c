import { expect, test } from "vitest";
import { csvOf, fileNameOf } from "./csv.ts";
import { NOTHING } from "./series.ts";

const single = {
  ...NOTHING,
  ...{ unit: "C", times: [Date.UTC(2026, 10, 4, 4, 47)], last: [61.25], expected: [60.5], lower: [59], upper: [null] },
  ...{ anomalies: [1], scores: [0.75], counts: [1] },
};

test("single readings are a row each, what is not known is empty", () => {
  expect(csvOf("line 3, press", single)).toBe(
    'time,sensor_id,unit,value,expected,lower,upper,anomalies,score\n2026-11-04T04:47:00.000Z,"line 3, press",C,61.25,60.5,59,,1,0.75\n',
  );
});

test("readings within a millisecond stay apart", () => {
  const [, line] = csvOf("a", { ...single, times: [Date.UTC(2026, 10, 4) + 0.042] }).split("\n");
  expect(line).toMatch(/^2026-11-04T00:00:00\.000042Z,a,/);
  const [, before] = csvOf("a", { ...single, times: [-0.042] }).split("\n");
  expect(before).toMatch(/^1969-12-31T23:59:59\.999958Z,a,/);
});

test("a column says when it begins, how wide it is, and what is in it", () => {
  const column = { ...single, raw: false, columnMs: 60_000, low: [1], high: [2], counts: [5], last: [null] };
  const [, line] = csvOf("a", column).split("\n");
  expect(line).toBe("2026-11-04T04:46:30.000Z,a,C,60,5,1,2,,60.5,59,,1,0.75");
});

test("a file is named by its sensor, whatever that is called", () => {
  expect(fileNameOf("plant/line-3/öl 1")).toBe("plant_line-3_l_1.csv");
  expect(fileNameOf("../etc")).toBe("_etc.csv");
});
