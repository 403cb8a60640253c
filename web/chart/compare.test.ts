import { expect, test, vi } from "vitest";

// uPlot asks for the screen as soon as it is loaded.
vi.stubGlobal("matchMedia", () => ({ addEventListener: () => {} }));
const { dashOf, freeOf, joined, letterOf, panelsOf, pointAt } = await import("./compare.ts");

import type { ChartData } from "./series.ts";

const data = (unit: string, times: number[], values: number[]): ChartData => ({
  ...{ unit, raw: true, columnMs: 0, times, first: values, low: values, high: values, last: values, otherUnits: [] },
  ...{ expected: [], lower: [], upper: [], counts: [], anomalies: [], scores: [] },
});
const line = (letter: string, unit: string, times: number[], values = times) => ({
  ...{ id: letter, letter },
  data: data(unit, times, values),
});

test("sensors of one unit share a scale, in the order in which units come", () => {
  const panels = panelsOf([line("A", "C", []), line("B", "bar", []), line("C", "C", [])]);
  expect(panels.map(({ unit, lines }) => `${unit}: ${lines.map(({ letter }) => letter).join("")}`)).toEqual([
    "C: AC",
    "bar: B",
  ]);
});

test("each of eight lines has a letter, and no dash is that of a neighbour", () => {
  const letters = Array.from({ length: 8 }, (_, index) => letterOf(index));
  expect(letters.join("")).toBe("ABCDEFGH");
  const dashes = letters.map((letter) => dashOf(letter).join());
  expect(new Set(dashes.slice(0, 4)).size).toBe(4);
  expect(dashes.every((dash, index) => dash !== dashes[index + 1])).toBe(true);
});

test("times of all lines are on one axis; what a line does not have there is no gap of it", () => {
  const [times, , , a, , , b] = joined([line("A", "C", [1_000, 3_000]), line("B", "C", [2_000, 3_000])]);
  expect(times).toEqual([1, 2, 3]);
  expect(a).toEqual([1_000, undefined, 3_000]);
  expect(b).toEqual([undefined, 2_000, 3_000]);
});

test("letters of lines that end together stand one above the other", () => {
  const taken: number[] = [];
  for (const wanted of [100, 101, 99, 300]) taken.push(freeOf(taken, wanted, 20));
  expect(taken).toEqual([100, 80, 60, 300]);
});

test("a line has a value at the cursor only where it has a reading near", () => {
  const { data: minutes } = line("A", "C", [0, 60_000, 120_000]);
  expect([-30_000, 29_000, 31_000, 170_000, 500_000].map((ms) => pointAt(minutes, ms))).toEqual([
    0,
    0,
    1,
    2,
    undefined,
  ]);
  expect(pointAt(line("A", "C", []).data, 0)).toBeUndefined();
});
