/** An incident lasts as long as what caused it, and is called by what it is. */
import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, REASONS } from "./index.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const STUCK = REASONS.indexOf("stuck value");
const UNIT = REASONS.indexOf("unit change");

/** Twelve uniform numbers less six are near enough to a normal one. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    let sum = -6;
    for (let k = 0; k < 12; k++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      sum += state / 2 ** 32;
    }
    return sum;
  };
}

/** Indices of abnormal readings with what they are called. */
function abnormal(readings: number, everyS: number, value: (i: number, s: number) => number): Map<number, number> {
  const detector = createDetector();
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(readings);
  batch.length = readings;
  for (let i = 0; i < readings; i++) {
    batch.slot[i] = slot;
    batch.timeUs[i] = START_US + i * everyS * 1e6;
    batch.value[i] = value(i, i * everyS);
  }
  detector.score(batch);
  const found = new Map<number, number>();
  for (let i = 0; i < readings; i++) if (batch.anomaly[i] === 1) found.set(i, batch.reason[i]!);
  return found;
}

const daily = (s: number) => 20 + 5 * Math.sin((s / 86_400) * 2 * Math.PI);

describe("an incident ends when the value is back", () => {
  const kinds: [string, number, (at: number, i: number, s: number, random: () => number) => number][] = [
    ["a constant one", 60, () => 20],
    ["a noisy one", 60, (_, __, ___, random) => 20 + 0.2 * random()],
    ["a daily one at a minute", 60, (_, __, s, random) => daily(s) + 0.2 * random()],
    ["a daily one at five minutes", 300, (_, __, s, random) => daily(s) + 0.2 * random()],
    ["a daily one at an hour", 3600, (_, __, s, random) => daily(s) + 0.2 * random()],
  ];
  for (const [name, everyS, normal] of kinds) {
    // A level that lasts is learnt as the new normal after 40 to 240 readings; the way back from it is known where there is no season.
    const lasting = name.includes("daily") ? [] : [1000];
    test.each([1, 5, everyS < 3600 ? 100 : 35, ...lasting])(`of ${name}, after a fault of %i readings`, (length) => {
      const day = Math.max(86_400 / everyS, 100);
      const at = Math.round(20.4 * day);
      const random = noise(7);
      const found = abnormal(at + length + 300, everyS, (i, s) => {
        const value = normal(at, i, s, random);
        return i >= at && i < at + length ? value + 12 : value;
      });
      expect(found.has(at)).toBe(true);
      const after = [...found.keys()].filter((i) => i >= at + length);
      expect(after.length).toBeLessThanOrEqual(2);
      expect(after.every((i) => i < at + length + 12)).toBe(true);
    });
  }
});

test("one outlier does not spoil the season: the same hour of the next days is as normal as before", () => {
  const at = 288 * 20 + 60;
  const random = noise(3);
  const found = abnormal(at + 288 * 4, 300, (i, s) => daily(s) + 0.2 * random() + (i === at ? 60 : 0));
  expect([...found.keys()].filter((i) => i > at + 2)).toEqual([]);
});

test("a stuck value is called stuck from soon after it stuck until it moves, and no longer", () => {
  const [at, length] = [288 * 14 + 100, 400];
  const random = noise(5);
  const found = abnormal(at + length + 200, 300, (i, s) =>
    i >= at && i < at + length ? daily(at * 300) : daily(s) + 0.2 * random(),
  );
  const called = [...found].filter(([i]) => i >= at);
  const first = called.find(([, reason]) => reason === STUCK)![0];
  expect(first - at).toBeLessThan(100);
  for (let i = first; i < at + length; i++) expect(found.get(i)).toBe(STUCK);
  expect(called.filter(([i, reason]) => i >= at + length && reason === STUCK)).toEqual([]);
});

test.each([
  [0, 1],
  [20, 68],
  [1, 1000],
  [0.02, 20],
])("a signal of the two values %d and %d is never said to be in another unit", (low, high) => {
  const random = noise(11);
  let open = 0;
  const found = abnormal(8000, 60, (i) => {
    if (open > 0) open--;
    else if (random() > 2.2) open = i > 5000 && i < 5200 ? 400 : 5;
    return open > 0 ? high : low;
  });
  expect([...found].filter(([i, reason]) => i > 500 && reason === UNIT)).toEqual([]);
});

test("a change to Fahrenheit is still called one, from the first reading on and for as long as it lasts", () => {
  const [at, length] = [3000, 60];
  const random = noise(13);
  const found = abnormal(at + length, 60, (i) => {
    const celsius = 20 + 0.2 * random();
    return i >= at ? 1.8 * celsius + 32 : celsius;
  });
  for (let i = at; i < at + length; i++) expect(found.get(i)).toBe(UNIT);
});
