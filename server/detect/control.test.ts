import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, type Detector, REASONS } from "./index.ts";

const START = 1_704_067_200e6;
const MINUTE = 60e6;

/** Deterministic noise in [-1, 1). */
function noise(i: number): number {
  const x = Math.imul((i + 1) ^ 0x5bd1e995, 0x9e3779b1);
  return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0) / 2 ** 31 - 1;
}

const quiet = (i: number) => 20 + noise(i);

interface Judged {
  anomaly: number;
  score: number;
  reason: string;
  expected: number;
  band: number;
}

/** Sends readings [from, to) of one a minute to slot 0. */
function send(detector: Detector, from: number, to: number, value: (i: number) => number): Judged[] {
  const batch = createScoreBatch(1);
  batch.length = 1;
  const out: Judged[] = [];
  for (let i = from; i < to; i++) {
    batch.timeUs[0] = START + i * MINUTE;
    batch.value[0] = value(i);
    detector.score(batch);
    out.push({
      anomaly: batch.anomaly[0]!,
      score: batch.score[0]!,
      reason: REASONS[batch.reason[0]!]!,
      expected: batch.expected[0]!,
      band: batch.band[0]!,
    });
  }
  return out;
}

function grown(type = "t"): Detector {
  const detector = createDetector();
  detector.addSensor(type, "C");
  send(detector, 0, 1000, quiet);
  return detector;
}

describe("rules of physics", () => {
  test("a value outside the configured range is critical, however close to the last", () => {
    const detector = grown();
    detector.configure("t", { rangeMax: 21.5 });
    const [reading] = send(detector, 1000, 1001, () => 21.6);
    expect(reading).toMatchObject({ anomaly: 1, reason: "impossible range" });
    expect(reading!.score).toBeGreaterThanOrEqual(9000);
  });

  test("a change faster than configured is an impossible rate", () => {
    const detector = grown();
    detector.configure("", { maxRatePerSecond: 0.001 });
    send(detector, 1000, 1001, () => 20);
    expect(send(detector, 1001, 1002, () => 20.5)[0]).toMatchObject({ anomaly: 1, reason: "impossible rate" });
  });

  test("a value unchanged for the configured time is stuck", () => {
    const detector = grown();
    detector.configure("t", { stuckSeconds: 600 });
    const readings = send(detector, 1000, 1011, () => 20.25);
    expect(readings.findIndex((r) => r.anomaly === 1)).toBe(10);
    expect(readings[10]!.reason).toBe("stuck value");
  });

  test("settings of another type change nothing", () => {
    const detector = grown("other");
    detector.configure("t", { rangeMax: 0 });
    expect(send(detector, 1000, 1001, quiet)[0]!.anomaly).toBe(0);
  });

  test.each([
    ["a fall to zero", () => 0, "dropout"],
    ["a switch from Celsius to Fahrenheit", (i: number) => 1.8 * quiet(i) + 32, "unit change"],
    ["a switch to thousandths", (i: number) => 1000 * quiet(i), "unit change"],
  ])("%s is called by its name", (_what, value, reason) => {
    expect(send(grown(), 1000, 1001, value)[0]).toMatchObject({ anomaly: 1, reason });
  });

  test("a counter is judged by its rate: steady growth is normal, a reset is told as such, a rate ten times as high alerts", () => {
    const detector = createDetector();
    detector.addSensor("energy", "kWh");
    detector.configure("energy", { counter: true });
    const count = (i: number) => 5000 + 6 * i + noise(i);
    const steady = send(detector, 0, 1000, count);
    expect(steady.filter((r) => r.anomaly === 1)).toEqual([]);
    expect(Math.abs(steady[999]!.expected - count(999))).toBeLessThan(6);
    const saved = detector.saveChunk(0);
    expect(send(detector, 1000, 1001, () => count(999) + 60)[0]!.anomaly).toBe(1);
    detector.loadChunk(0, saved, 1);
    expect(send(detector, 1000, 1001, () => 4500)[0]).toMatchObject({ anomaly: 1, reason: "counter reset" });
  });
});

describe("silence", () => {
  /** Time records every second in (from, to], microseconds; the slots told on the way. */
  const pass = (detector: Detector, from: number, to: number) => {
    const told: number[] = [];
    for (let now = from + 1e6; now <= to; now += 1e6) told.push(...detector.tick(now));
    return told;
  };
  /** A sensor that has spoken every minute, live; its last reading is the 60th. */
  const live = () => {
    const detector = createDetector();
    detector.addSensor("t", "C");
    for (let i = 0; i < 60; i++) {
      send(detector, i, i + 1, quiet);
      if (i < 59) expect(pass(detector, START + i * MINUTE, START + (i + 1) * MINUTE)).toEqual([]);
    }
    return detector;
  };
  const last = START + 59 * MINUTE;

  test("is told once, after three usual intervals without a reading, and never of a young sensor", () => {
    const young = createDetector();
    young.addSensor("t", "C");
    send(young, 0, 20, quiet);
    expect(pass(young, START + 20 * MINUTE, START + 100 * MINUTE)).toEqual([]);
    const detector = live();
    expect(pass(detector, last, last + 2.9 * MINUTE)).toEqual([]);
    expect(pass(detector, last + 2.9 * MINUTE, last + 4 * MINUTE)).toEqual([0]);
    expect(pass(detector, last + 4 * MINUTE, last + 300 * MINUTE)).toEqual([]);
  });

  test("lasts as long as configured", () => {
    const detector = live();
    detector.configure("t", { silenceSeconds: 3600 });
    expect(pass(detector, last, last + 59 * MINUTE)).toEqual([]);
    expect(pass(detector, last + 59 * MINUTE, last + 61 * MINUTE)).toEqual([0]);
  });

  test("is not told of readings from long ago that are being replayed", () => {
    const detector = grown();
    expect(pass(detector, START + 1e15, START + 1e15 + 600 * MINUTE)).toEqual([]);
  });

  test("keeps its deadline through saving", () => {
    const detector = live();
    pass(detector, last, last + MINUTE);
    const restored = createDetector();
    restored.loadChunk(0, detector.saveChunk(0), 1);
    expect(pass(restored, last + MINUTE, last + 2.9 * MINUTE)).toEqual([]);
    expect(pass(restored, last + 2.9 * MINUTE, last + 4 * MINUTE)).toEqual([0]);
  });
});

describe("labels", () => {
  test("of false alerts raise the threshold within 60 %, and taking them back restores it to the bit", () => {
    const detector = grown();
    const threshold = () => detector.explain(0, START + 1000 * MINUTE, 20).threshold;
    const before = threshold();
    detector.label(0, false, 1);
    expect(threshold() / before).toBeCloseTo(1.15, 9);
    for (let k = 0; k < 20; k++) detector.label(0, false, 1);
    expect(threshold() / before).toBeCloseTo(1.6, 9);
    for (let k = 0; k < 21; k++) detector.label(0, false, -1);
    expect(threshold()).toBe(before);
    for (let k = 0; k < 20; k++) detector.label(0, true, 1);
    expect(threshold() / before).toBeCloseTo(0.7, 9);
  });
});

test("readings in a maintenance window are neither judged nor learnt", () => {
  const detector = grown();
  const untouched = createDetector();
  untouched.loadChunk(0, detector.saveChunk(0), 1);
  detector.maintain(0, START + 1000 * MINUTE, START + 1100 * MINUTE);
  const during = send(detector, 1000, 1100, () => 90);
  expect(during.every((r) => r.anomaly === 0 && Number.isNaN(r.expected))).toBe(true);
  const after = send(detector, 1100, 1101, quiet)[0]!;
  const without = send(untouched, 1100, 1101, quiet)[0]!;
  expect(after.anomaly).toBe(0);
  expect(after.expected).toBeCloseTo(without.expected, 1);
  expect(send(detector, 1101, 1102, () => 90)[0]!.anomaly).toBe(1);
});

describe("an explanation", () => {
  test("gives each detector's vote and the threshold, and changes nothing", () => {
    const detector = grown();
    const before = detector.saveChunk(0);
    const why = detector.explain(0, START + 1000 * MINUTE, 35);
    expect(detector.saveChunk(0)).toEqual(before);
    expect(why.batch.anomaly[0]).toBe(1);
    expect(why.rawScore[REASONS.indexOf("value record")]).toBeGreaterThan(why.threshold);
    expect(why.rawScore[REASONS.indexOf("forecaster")]).toBeGreaterThan(why.threshold);
    const whyNot = detector.explain(0, START + 1000 * MINUTE, 20.1);
    expect(whyNot.batch.anomaly[0]).toBe(0);
    expect(Math.max(...whyNot.rawScore)).toBeLessThan(whyNot.threshold);
  });

  test("is what scoring then says", () => {
    const detector = grown();
    const why = detector.explain(0, START + 1000 * MINUTE, 24);
    const [reading] = send(detector, 1000, 1001, () => 24);
    expect(reading!.score).toBe(why.batch.score[0]);
  });
});

describe("what is learnt", () => {
  test("a day's course is found: its shape is normal at its hour and an alert at another", () => {
    const detector = createDetector();
    detector.addSensor("t", "C");
    const course = (i: number) => 20 + 10 * Math.sin((2 * Math.PI * i) / 1440) + 0.5 * noise(i);
    const days = send(detector, 0, 10 * 1440, course);
    expect(days.slice(5 * 1440).filter((r) => r.anomaly === 1).length).toBeLessThan(5);
    const shifted = send(detector, 10 * 1440, 11 * 1440, (i) => course(i + 480));
    expect(shifted.some((r) => r.anomaly === 1)).toBe(true);
  });

  test("an incident does not move what is expected; a lasting new level is accepted after 240 readings", () => {
    const detector = grown();
    const before = send(detector, 1000, 1001, quiet)[0]!.expected;
    const high = send(detector, 1001, 1400, (i) => 60 + noise(i));
    expect(high.slice(0, 239).every((r) => r.anomaly === 1)).toBe(true);
    expect(Math.abs(high[200]!.expected - before)).toBeLessThan(2);
    expect(high.slice(260).every((r) => r.anomaly === 0)).toBe(true);
    expect(Math.abs(high.at(-1)!.expected - 60)).toBeLessThan(2);
  });

  test("a sensor with one reading a day is judged too", () => {
    const detector = createDetector();
    const batch = createScoreBatch(1);
    batch.length = 1;
    batch.slot[0] = detector.addSensor("t", "C");
    const anomalies: number[] = [];
    for (let day = 0; day < 60; day++) {
      batch.timeUs[0] = START + day * 1440 * MINUTE;
      batch.value[0] = day === 50 ? 80 : quiet(day);
      detector.score(batch);
      anomalies.push(batch.anomaly[0]!);
    }
    expect(anomalies.indexOf(1)).toBe(50);
  });
});

test("readings of other sensors never change a score", () => {
  const alone = createDetector();
  alone.addSensor("t", "C");
  const among = createDetector();
  among.addSensor("t", "C");
  among.addSensor("t", "C");
  const noisy = createScoreBatch(1);
  noisy.length = 1;
  noisy.slot[0] = 1;
  for (let i = 0; i < 400; i++) {
    noisy.timeUs[0] = START + i * MINUTE;
    noisy.value[0] = 1000 * noise(i);
    among.score(noisy);
    expect(send(among, i, i + 1, quiet)).toEqual(send(alone, i, i + 1, quiet));
  }
});
