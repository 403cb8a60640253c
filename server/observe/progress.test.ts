import { expect, test } from "vitest";
import { Progress, STALLED_AFTER_MS, stallText } from "./progress.ts";

test("a partition stands still when it has not advanced for the stated time with work waiting, and only then", () => {
  let now = 0;
  const progress = new Progress(() => now);
  for (const partition of [0, 1, 2]) progress.advanced(partition);
  const later = (ms: number, waiting: [number, number][]) => {
    now += ms;
    progress.look(new Map(waiting));
    return progress.stalled.map(({ partition }) => partition);
  };
  const waiting: [number, number][] = [
    [0, 5],
    [1, 0],
    [2, 7],
  ];
  expect(later(10_000, waiting)).toEqual([]);
  progress.failed(0, "no room");
  progress.advanced(2);
  expect(later(STALLED_AFTER_MS - 10_000, waiting)).toEqual([0]);
  expect(stallText(progress.stalled)).toBe("partition 0 has not advanced for 30 s with 5 records waiting: no room");
  expect(later(STALLED_AFTER_MS, waiting)).toEqual([0, 2]);
  progress.advanced(0);
  expect(later(0, waiting)).toEqual([2]);
  progress.released(2);
  expect(progress.stalled).toEqual([]);
});
