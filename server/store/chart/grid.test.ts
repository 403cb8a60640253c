import { expect, test } from "vitest";
import { seeded } from "../../../testing/points.ts";
import { DAY_US } from "../../lib/time.ts";
import { endOf, gridOf, LADDER_US } from "./grid.ts";

const MAX_TIME_US = 253_402_300_800 * 1e6;

test("each width of the ladder is at most two and a half times the one before, and those up to a day divide it", () => {
  LADDER_US.slice(1).forEach((width, i) => {
    expect(width).toBeGreaterThan(LADDER_US[i]!);
    expect(width).toBeLessThanOrEqual(2.5 * LADDER_US[i]!);
    expect(width < DAY_US ? DAY_US % width : width % DAY_US).toBe(0);
  });
});

test("columns begin at multiples of their width, cover the range, and are at most one more than were asked for", () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e6);
  const random = seeded(seed);
  for (let k = 0; k < 3_000; k++) {
    const columns = 1 + Math.floor(random() * 2000);
    const fromUs = Math.floor(random() * 2e15);
    const toUs = fromUs + 1 + Math.floor(10 ** (random() * 15));
    const grid = gridOf({ fromUs, toUs, columns });
    const which = `seed ${seed}, ${columns} columns of ${fromUs} to ${toUs}`;
    expect(grid.startUs % grid.widthUs, which).toBe(0);
    expect(grid.startUs, which).toBeLessThanOrEqual(fromUs);
    expect(fromUs - grid.startUs, which).toBeLessThan(grid.widthUs);
    expect(endOf(grid), which).toBeGreaterThanOrEqual(toUs);
    expect(endOf(grid) - toUs, which).toBeLessThan(grid.widthUs);
    expect(grid.count, which).toBeLessThanOrEqual(columns + 1);
    const narrower = LADDER_US[LADDER_US.indexOf(grid.widthUs) - 1];
    if (narrower !== undefined) expect((toUs - fromUs) / narrower, which).toBeGreaterThan(columns);
  }
});

test("a range that is moved keeps the width, and each column its readings", () => {
  const hour = 3_600e6;
  const a = gridOf({ fromUs: 17 * hour, toUs: 41 * hour, columns: 100 });
  const b = gridOf({ fromUs: 17 * hour + 61e6, toUs: 41 * hour + 61e6, columns: 100 });
  expect(b.widthUs).toBe(a.widthUs);
  expect((b.startUs - a.startUs) % a.widthUs).toBe(0);
});

test("all times there are fit into one column", () => {
  expect(gridOf({ fromUs: 0, toUs: MAX_TIME_US, columns: 1 }).count).toBe(1);
  expect(gridOf({ fromUs: 0, toUs: MAX_TIME_US, columns: 2000 }).count).toBeLessThanOrEqual(2001);
});

test("columns are as wide as is asked for at the least", () => {
  expect(gridOf({ fromUs: 0, toUs: 10, columns: 10 }, 60e6)).toEqual({ widthUs: 60e6, startUs: 0, count: 1 });
});
