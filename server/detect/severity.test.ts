/** How bad an abnormal reading is: by size, and by how well the sensor is known. */
import { expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch, type Detector, type DetectorSettings } from "./index.ts";
import { SEVERITY_CRITICAL, SEVERITY_HIGH, SEVERITY_LOW, SEVERITY_MEDIUM, severityOf } from "./severity.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const MINUTE_US = 60e6;

/** Anomaly score (0 to 10000) of a jump after `before` normal readings, one a minute. */
function scoreOf(before: number, jump: number, detector: Detector = createDetector()): number {
  const random = new Random(5);
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(before + 1);
  batch.length = before + 1;
  for (let i = 0; i < batch.length; i++) {
    batch.slot[i] = slot;
    batch.timeUs[i] = START_US + i * MINUTE_US;
    batch.value[i] = 20 + random.normal() + (i < before ? 0 : jump);
  }
  detector.score(batch);
  return batch.score[before]!;
}

test("a larger jump is worse", () => {
  const scores = [12, 25, 60, 200].map((jump) => scoreOf(3000, jump));
  expect(scores).toEqual(scores.toSorted((a, b) => a - b));
  expect(new Set(scores).size).toBe(scores.length);
});

test("a jump of a sensor that nobody has seen for a day is less bad than that of a known one", () => {
  const [young, known] = [scoreOf(700, 200), scoreOf(3000, 200)];
  expect(young).toBeGreaterThan(0);
  expect(young).toBeLessThan(known!);
});

/** Severity of what follows readings of one value, one a minute, once it has stayed for so many minutes more. */
function severityAfter(held: number, minutes: number, next: number, settings: DetectorSettings = {}, more = 0): number {
  const detector = createDetector();
  detector.configure("", settings);
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(minutes + 1 + more);
  batch.length = minutes + 1 + more;
  for (let i = 0; i <= minutes + more; i++) {
    batch.slot[i] = slot;
    batch.timeUs[i] = START_US + i * MINUTE_US;
    batch.value[i] = i < minutes ? held : next;
  }
  detector.score(batch);
  return severityOf(batch.score[minutes + more]!);
}

test("of a value that is held, the change counts: a set-point of half a degree more is no emergency, and one four times as high is", () => {
  const days = 3 * 1440;
  expect(severityAfter(21.5, days, 22)).toBe(SEVERITY_LOW);
  expect(severityAfter(21.5, days, 80)).toBe(SEVERITY_CRITICAL);
  expect(severityAfter(21.5, days, 0)).toBe(SEVERITY_CRITICAL);
});

test("a limit that a held value breaks is critical, however small the step", () => {
  expect(severityAfter(21.5, 3 * 1440, 22, { rangeMax: 21.8 })).toBe(SEVERITY_CRITICAL);
});

test("a broken limit is critical also where the detectors by themselves would say high", () => {
  const detector = createDetector();
  detector.configure("", { rangeMax: 30 });
  expect(severityOf(scoreOf(3000, 40, detector))).toBe(SEVERITY_CRITICAL);
  expect(severityOf(scoreOf(3000, 40))).toBe(SEVERITY_HIGH);
});

test("a value many times as high is critical also where the one before was held for an hour only", () => {
  expect(severityAfter(20, 60, 1000)).toBe(SEVERITY_CRITICAL);
});

test("the first time that a contact opens is not critical on its first day, once it is told", () => {
  expect(severityAfter(0, 400, 1)).toBe(0);
  expect(severityAfter(0, 400, 1, {}, 70)).toBe(SEVERITY_MEDIUM);
  expect(severityAfter(0, 3 * 1440, 1)).toBe(SEVERITY_CRITICAL);
});

/** The worst severity while an oven goes from 180 degrees to another temperature within so many minutes, after three days. */
function worstOnTheWay(to: number, minutes: number): number {
  return severityOf(worstScore({ from: 180, to, noise: 0.5, minutes }));
}

interface Way {
  readonly from: number;
  readonly to: number;
  readonly noise: number;
  readonly minutes: number;
  /** Of what the sensor tells apart; 0: everything. */
  readonly step?: number;
}

/** The worst score on the way, after three days. */
function worstScore({ from, to, noise, minutes, step = 0 }: Way): number {
  const random = new Random(11);
  const known = 3 * 1440;
  const detector = createDetector();
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(known + 180);
  batch.length = known + 180;
  batch.slot.fill(slot);
  for (let i = 0; i < batch.length; i++) {
    const share = Math.max(0, Math.min(1, (i - known + 1) / minutes));
    batch.timeUs[i] = START_US + i * MINUTE_US;
    const value = from + (to - from) * share + noise * random.normal();
    batch.value[i] = step === 0 ? value : Math.round(value / step) * step;
  }
  detector.score(batch);
  return Math.max(...batch.score.subarray(known));
}

test("what runs down toward zero was mostly switched off: it is high, and what falls at once or rises as far is critical", () => {
  expect(worstOnTheWay(20, 60)).toBe(SEVERITY_HIGH);
  expect(worstOnTheWay(20, 1)).toBe(SEVERITY_CRITICAL);
  expect(worstOnTheWay(340, 60)).toBe(SEVERITY_CRITICAL);
});

test.each([
  ["a freezer that thaws", { from: -20, to: -2, noise: 0.1, minutes: 60 }],
  ["oxygen that runs short", { from: 20.9, to: 18.5, noise: 0.01, minutes: 60 }],
  ["a voltage that sags", { from: 230, to: 195, noise: 0.2, minutes: 60 }],
  ["a value that goes on beyond zero", { from: 10, to: -10, noise: 0.05, minutes: 60 }],
])("%s is no running down to rest: it is critical", (_, way) => {
  expect(severityOf(worstScore(way))).toBe(SEVERITY_CRITICAL);
});

test("a small change of what holds its values does not count more for having come down in steps", () => {
  const way = { noise: 0, minutes: 5, step: 0.1 };
  expect(worstScore({ ...way, from: 22, to: 21.5 })).toBeLessThanOrEqual(
    worstScore({ ...way, from: 22, to: 22.5 }) + 100,
  );
});
