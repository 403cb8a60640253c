import { expect, test } from "vitest";
import { Histogram } from "./histogram.ts";

test("a percentile is within 5 % of the true one, from a tenth of a millisecond to an hour", () => {
  const all = new Histogram();
  const halves = [new Histogram(), new Histogram()];
  const values = Array.from({ length: 10_000 }, (_, i) => 0.1 * 1.0017 ** i);
  for (const [i, value] of values.entries()) halves[i % 2]!.add(value);
  for (const half of halves) all.merge(half);
  for (const share of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999]) {
    const exact = values[Math.ceil(share * values.length) - 1]!;
    expect(all.quantile(share) / exact).toBeGreaterThan(0.95);
    expect(all.quantile(share) / exact).toBeLessThan(1.0501);
  }
  expect(all.quantile(1)).toBe(all.maxMs);
  expect(all.buckets().reduce((sum, { count }) => sum + count, 0)).toBe(10_000);
});

test("what is shorter or longer than its ends is counted at them, and nothing has no percentile", () => {
  const ends = new Histogram();
  expect(ends.quantile(0.5)).toBeNaN();
  expect(ends.buckets()).toEqual([]);
  ends.add(0, 3);
  ends.add(1e9);
  expect(ends.count).toBe(4);
  expect(ends.quantile(0.5)).toBeLessThan(0.2);
});
