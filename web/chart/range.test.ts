import { expect, test } from "vitest";
import { MAX_MS, MIN_MS, panned, queryOfTime, rangeMs, spanOfQuery, zoomed } from "./range.ts";

const HOUR = { from: 0, to: 3_600_000 };

test("zooming keeps what is under the cursor where it is", () => {
  const at = 900_000;
  const near = zoomed(HOUR, 0.5, at);
  expect(near.to - near.from).toBe(1_800_000);
  expect((at - near.from) / (near.to - near.from)).toBeCloseTo(at / 3_600_000);
  expect(zoomed(near, 2, at)).toEqual(HOUR);
});

test("from years to a second, and no further", () => {
  const deep = zoomed(HOUR, 1e-9);
  expect(deep.to - deep.from).toBe(MIN_MS);
  const wide = zoomed(HOUR, 1e9);
  expect(wide.to - wide.from).toBe(MAX_MS);
});

test("panning moves by a share of what is shown", () => {
  expect(panned(HOUR, 0.25)).toEqual({ from: 900_000, to: 4_500_000 });
  expect(panned(panned(HOUR, 0.25), -0.25)).toEqual(HOUR);
});

test("an address brings the same span back, or none", () => {
  expect(spanOfQuery(queryOfTime(HOUR.from), queryOfTime(HOUR.to))).toEqual(HOUR);
  expect(spanOfQuery("", queryOfTime(1))).toBeUndefined();
  expect(spanOfQuery("yesterday", "today")).toBeUndefined();
  expect(spanOfQuery(queryOfTime(5_000), queryOfTime(1_000))).toBeUndefined();
});

test("an address may ask for any range from a second to ten years, and for no other", () => {
  expect(["30s", "5m", "24h", "3d", "2w", "10y"].map(rangeMs)).toEqual([
    30_000,
    300_000,
    86_400_000,
    3 * 86_400_000,
    14 * 86_400_000,
    MAX_MS,
  ]);
  for (const text of ["", "0s", "3", "d", "3 d", "-3d", "11y", "3x", "1e3s"]) expect(rangeMs(text)).toBeUndefined();
});
