/** A number that is no measurement among a sensor's first readings: what comes after it is judged all the same. */
import { expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch } from "./index.ts";

const DAY = 1440;

test.each([
  [1e12, 0],
  [-1e12, 10],
  [1e100, 22],
  [Number.MAX_VALUE, 0],
  [Number.MAX_VALUE, 23],
  [1e300, 30],
  [1e12, 49],
])("%d as reading %d does not hide a fault three days later, and bounds are numbers", (absurd, at) => {
  const random = new Random(5);
  const detector = createDetector();
  detector.addSensor("", "");
  const batch = createScoreBatch(4 * DAY);
  batch.length = 4 * DAY;
  const fault = 3 * DAY + 700;
  for (let i = 0; i < batch.length; i++) {
    const normal = 20 + 2 * Math.sin((2 * Math.PI * i) / DAY) + 0.4 * random.normal();
    batch.timeUs[i] = 1.7e15 + i * 60e6;
    batch.value[i] = i === at ? absurd : i >= fault && i < fault + 60 ? normal + 8 : normal;
  }
  detector.score(batch);
  expect([...batch.anomaly.subarray(fault, fault + 60)]).toContain(1);
  expect(batch.anomaly.subarray(DAY, fault).reduce((sum, x) => sum + x, 0)).toBeLessThanOrEqual(10);
  expect(Math.abs(batch.expected.at(-1)! - 20)).toBeLessThan(3);
  expect(batch.band.at(-1)).toBeLessThan(1e300);
});

test("a counter that stands still each weekend is known after two of them", () => {
  const random = new Random(3);
  const detector = createDetector();
  detector.addSensor("", "");
  const perDay = 96;
  const batch = createScoreBatch(42 * perDay);
  batch.length = 42 * perDay;
  let total = 1000;
  for (let i = 0; i < batch.length; i++) {
    const day = Math.floor(i / perDay) % 7;
    if (day < 5) total += 30 + 4 * Math.abs(random.normal());
    batch.timeUs[i] = Date.UTC(2026, 8, 7) * 1000 + i * 900e6;
    batch.value[i] = Math.round(10 * total) / 10;
  }
  detector.score(batch);
  expect(detector.judgesRate(0)).toBe(true);
  const weekend = (week: number) => batch.anomaly.subarray((7 * week + 5) * perDay, 7 * (week + 1) * perDay);
  const abnormal = (week: number) => weekend(week).reduce((sum, x) => sum + x, 0);
  expect(abnormal(0)).toBeGreaterThan(90);
  expect(abnormal(3) + abnormal(4) + abnormal(5)).toBeLessThanOrEqual(6);
});
