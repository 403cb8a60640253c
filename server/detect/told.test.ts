/** What is abnormal and told: of a new sensor, of an excursion that goes on within its band, and of a value that sticks where the sensor does not rest. */
import { expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch, REASONS, type ScoreBatch } from "./index.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const HOUR_US = 3600e6;
const DAY_US = 24 * HOUR_US;
const STEP_US = 5 * 60e6;
const DAY = DAY_US / STEP_US;

/** Verdicts on a sensor that reads every five minutes, or at other intervals. */
function verdicts(readings: number, value: (i: number) => number, everyUs: number = STEP_US): ScoreBatch {
  const detector = createDetector();
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(readings);
  batch.length = readings;
  batch.slot.fill(slot);
  for (let i = 0; i < readings; i++) {
    batch.timeUs[i] = START_US + i * everyUs;
    batch.value[i] = value(i);
  }
  detector.score(batch);
  return batch;
}

/** Power of a roof: nothing by night, and by day never twice the same, by the day's clouds. */
function roof(i: number, clouds: readonly number[], random: Random): number {
  const hour = ((i % DAY) * 24) / DAY;
  const sun = hour < 7 || hour >= 18 ? 0 : 4 * Math.sin((Math.PI * (hour - 7)) / 11);
  return sun * clouds[Math.floor(i / DAY)]! * (0.7 + 0.3 * random.next());
}

test("a value that sticks by day is told, however long the sensor rests at zero by night", () => {
  const random = new Random(3);
  const clouds = Array.from({ length: 21 }, () => 0.2 + 0.8 * random.next());
  const from = 20 * DAY + (9 * DAY) / 24;
  let held = 0;
  const { anomaly, reason } = verdicts(from + 48, (i) => {
    if (i <= from) held = roof(i, clouds, random);
    return held;
  });
  const stuck = [...anomaly.keys()].filter((i) => anomaly[i] === 1 && REASONS[reason[i]!] === "stuck value");
  // Nights are no faults.
  expect(stuck.filter((i) => i >= 2 * DAY && i < from)).toEqual([]);
  expect(stuck.some((i) => i > from)).toBe(true);
});

test("a value that repeats often, and now for a day, is told: the run itself does not make repeats more usual", () => {
  const random = new Random(5);
  const from = 20 * DAY;
  // In steps of half a degree: more than nine readings of ten repeat the one before.
  let level = 20;
  const { anomaly, reason } = verdicts(from + DAY, (i) => {
    if (i < from && random.below(10) === 0) level = 20 + 0.5 * (random.below(5) - 2);
    return level;
  });
  const stuck = [...anomaly.keys()].filter((i) => anomaly[i] === 1 && REASONS[reason[i]!] === "stuck value");
  expect(stuck.length).toBeGreaterThan(0);
  expect(stuck[0]).toBeGreaterThanOrEqual(from);
});

test("the first morning of a course is not told by its means, and a jump on it is", () => {
  const random = new Random(7);
  const value = (i: number) =>
    20 + 3 * Math.max(0, Math.sin((2 * Math.PI * (i - DAY / 4)) / DAY)) + 0.2 * random.normal();
  const {
    anomaly,
    reason,
    value: values,
    expected,
    band,
  } = verdicts(DAY + 30, (i) => value(i) + (i === DAY - 60 ? 15 : 0));
  const byCourse = ["mean of 24 record", "mean of 96 record", "season", "scatter", "rare level", "pattern"];
  const told = [...anomaly.keys()].filter((i) => anomaly[i] === 1 && Math.abs(values[i]! - expected[i]!) <= band[i]!);
  expect(told.filter((i) => byCourse.includes(REASONS[reason[i]!]!))).toEqual([]);
  expect(anomaly[DAY - 60]).toBe(1);
});

test("a door that is opened on its first day is not told, one that stays open for an hour is, and an explanation says why", () => {
  const minute = 60e6;
  const first = 7 * 60;
  const told = (open: (i: number) => boolean) => {
    const { anomaly } = verdicts(1440, (i) => Number(i >= first && open(i)), minute);
    return [...anomaly.keys()].filter((i) => anomaly[i] === 1);
  };
  expect(told((i) => i % 17 < 2 && i < first + 600)).toEqual([]);
  expect(told(() => true)[0]).toBe(first + 60);
  const detector = createDetector();
  const slot = detector.addSensor("", "");
  const rest = createScoreBatch(first);
  rest.length = first;
  rest.slot.fill(slot);
  for (let i = 0; i < first; i++) rest.timeUs[i] = START_US + i * minute;
  detector.score(rest);
  const { batch, wakes, total, threshold } = detector.explain(slot, START_US + first * minute, 1);
  expect(batch.anomaly[0]).toBe(0);
  expect(wakes).toBe(true);
  expect(total).toBeGreaterThan(threshold);
  expect(detector.explain(slot, START_US + first * minute, 0).wakes).toBe(false);
});

test.each([5, 10, 60, 120])(
  "a contact that reads every %i s and stays open from its first day on is told after an hour, for an hour",
  (every) => {
    const first = Math.ceil((2.5 * 3600) / every);
    const anHour = 3600 / every;
    const { anomaly } = verdicts(first + 3 * anHour, (i) => Number(i >= first), every * 1e6);
    const told = [...anomaly.keys()].filter((i) => anomaly[i] === 1);
    expect(told[0]).toBe(first + anHour);
    expect(told.filter((i) => i < first + 2 * anHour)).toHaveLength(anHour);
  },
);

test("what holds another value than zero does not wake: a jump on its first day is told at once", () => {
  const first = 7 * 60;
  for (const to of [15, 25, 100]) {
    const { anomaly } = verdicts(first + 40, (i) => (i < first ? 1 : to), 60e6);
    expect([...anomaly.keys()].find((i) => anomaly[i] === 1)).toBe(first);
  }
});

/** Hours in which a sensor that reads hourly is called abnormal, while it goes down by so much an hour for two days. */
function hoursTold(perHour: number): number {
  const random = new Random(9);
  const from = 20 * 24;
  const normal = (i: number) => 12 + 1.5 * Math.sin((2 * Math.PI * i) / 24) + 0.3 * random.normal();
  const { anomaly } = verdicts(from + 48, (i) => normal(i) - perHour * Math.max(0, i - from), HOUR_US);
  return anomaly.subarray(from).reduce((sum, abnormal) => sum + abnormal, 0);
}

test("an excursion that goes on within its band is told for some hours, and for long only if it gets far", () => {
  for (const slow of [0.02, 0.05, 0.1]) {
    expect(hoursTold(slow)).toBeGreaterThan(0);
    expect(hoursTold(slow)).toBeLessThanOrEqual(6);
  }
  expect(hoursTold(1)).toBeGreaterThan(36);
});
