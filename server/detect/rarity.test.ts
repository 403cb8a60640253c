/** A level that a sensor rarely has, although it is within what it has seen. */
import { expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch, REASONS } from "./index.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const MINUTE_US = 60e6;
const FULL = 5.5;

/** A pump in cycles of 20 minutes, with so much of its full power from a reading on. Reasons of what is abnormal from then on. */
function pump(share: number, until = 4000): string[] {
  const random = new Random(11);
  const detector = createDetector();
  detector.addSensor("", "");
  const batch = createScoreBatch(1);
  batch.length = 1;
  const reasons: string[] = [];
  for (let i = 0; i < until + 200; i++) {
    const runs = i % 20 < 6 + (i % 3);
    batch.timeUs[0] = START_US + i * MINUTE_US;
    batch.value[0] = (runs ? FULL * (i < until ? 1 : share) : 0) + 0.02 * random.normal();
    detector.score(batch);
    if (i >= until && batch.anomaly[0] === 1) reasons.push(REASONS[batch.reason[0]!]!);
  }
  return reasons;
}

test("a pump that runs at 60 % of its power is told by the level between its two", () => {
  expect(pump(0.6)).toContain("rare level");
  expect(pump(1)).toEqual([]);
});

test("the histogram takes in any range of values, also after others a trillion times smaller", () => {
  const detector = createDetector();
  detector.addSensor("", "");
  const batch = createScoreBatch(1);
  batch.length = 1;
  const random = new Random(5);
  for (let i = 0; i < 3000; i++) {
    batch.timeUs[0] = START_US + i * MINUTE_US;
    const scale = i < 1000 ? 1 : i < 2000 ? 1e12 : -1e300;
    batch.value[0] = scale * (1 + 0.01 * random.normal());
    detector.score(batch);
    expect(Number.isNaN(batch.expected[0]!)).toBe(i < 23);
  }
  expect(detector.explain(0, START_US + 3000 * MINUTE_US, -1e300).rawScore.every(Number.isFinite)).toBe(true);
});
