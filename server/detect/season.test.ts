import { describe, expect, test } from "vitest";
import { learnRoughness, ROUGHNESS_FLOATS, roughnessAt } from "./roughness.ts";
import { FOUND, learnSeason, SEASON_FLOATS, seasonAt } from "./season.ts";

const MONDAY = 1_704_067_200e6;
const TEN_MINUTES = 600e6;
const PER_DAY = 144;

/** Learns `days` days of readings every ten minutes and returns the cells. */
function learnt(days: number, value: (day: number, hour: number) => number): Float32Array {
  const f = new Float32Array(SEASON_FLOATS);
  for (let i = 0; i < days * PER_DAY; i++) {
    learnSeason(f, 0, MONDAY + i * TEN_MINUTES, value(Math.floor(i / PER_DAY), (i % PER_DAY) / 6), i, TEN_MINUTES);
  }
  return f;
}
const at = (f: Float32Array, day: number, hour: number) => seasonAt(f, 0, MONDAY + day * 86_400e6 + hour * 3600e6);
/** Deterministic noise in [-1, 1). */
function noise(day: number, hour: number): number {
  const x = Math.imul(Math.round(6 * (24 * day + hour)) ^ 0x5bd1e995, 0x9e3779b1);
  return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0) / 2 ** 31 - 1;
}

describe("the course of day and week", () => {
  test("is not assumed: where values have none, none is found", () => {
    expect(learnt(28, noise)[FOUND]).toBe(0);
  });

  test("of a day is found, and no week is made up", () => {
    const f = learnt(28, (_day, hour) => 5 * Math.sin((2 * Math.PI * hour) / 24));
    expect(f[FOUND]).toBe(1);
    expect(at(f, 28, 6.25)).toBeCloseTo(5, 0);
  });

  test("of a week with weekends in small is foretold on both kinds of days", () => {
    const f = learnt(28, (day, hour) => (day % 7 >= 5 ? 1 : 5) * (hour >= 7 && hour < 19 ? 1 : -1));
    expect(f[FOUND]).toBe(2);
    for (const [day, hour, wanted] of [
      [28, 12, 5],
      [30, 3, -5],
      [33, 12, 1],
      [34, 3, -1],
    ] as const) {
      expect(Math.abs(at(f, day, hour) - wanted)).toBeLessThan(1.2);
    }
  });
});

test("errors that are usual at a time of day make that time rough, and no other", () => {
  const f = new Float32Array(ROUGHNESS_FLOATS);
  for (let i = 0; i < 10 * PER_DAY; i++) {
    const hour = (i % PER_DAY) / 6;
    learnRoughness(f, 0, MONDAY + i * TEN_MINUTES, hour === 7 ? 8 : 1 + 0.1 * noise(i, 0), TEN_MINUTES);
  }
  const rough = (hour: number) => roughnessAt(f, 0, MONDAY + hour * 3600e6);
  expect(rough(7.1)).toBeGreaterThan(4 * rough(12));
  expect(rough(7.6)).toBeLessThan(1.2 * rough(12));
});
