/** When a sensor counts as silent: by the log's time alone, and by the rhythm in which its readings arrive. */
import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, type Detector } from "./index.ts";

const START_US = 1_750_000_000e6;
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** An arrival, seconds from the start: readings observed at those times come together. */
interface Arrival {
  readonly at: number;
  readonly observed: readonly number[];
}

/** Seconds at which silence was told, of one sensor with these arrivals, with a time record a second until `until`; in [from, to) the log stands still. */
function told(
  arrivals: readonly Arrival[],
  until: number,
  budget = 0.1,
  standstill: readonly [number, number] = [0, 0],
) {
  const detector = createDetector({ alarmsPerSensorDay: budget });
  const slot = detector.addSensor("", "");
  const silent: number[] = [];
  let next = 0;
  for (let now = 1; now <= until; now++) {
    while (next < arrivals.length && arrivals[next]!.at < now) score(detector, slot, arrivals[next++]!.observed);
    if (now >= standstill[0] && now < standstill[1]) continue;
    if (detector.tick(START_US + now * 1e6).length > 0) silent.push(now);
  }
  return silent;
}

function score(detector: Detector, slot: number, observed: readonly number[]): void {
  const batch = createScoreBatch(observed.length);
  batch.length = observed.length;
  observed.forEach((at, i) => {
    batch.slot[i] = slot;
    batch.timeUs[i] = START_US + at * 1e6;
    batch.value[i] = 20 + Math.sin(at / 977);
  });
  detector.score(batch);
}

/** One reading each `every` seconds from `from` to `to`, each as it is observed. */
function steady(from: number, to: number, every: number): Arrival[] {
  const arrivals: Arrival[] = [];
  for (let at = from; at < to; at += every) arrivals.push({ at, observed: [at] });
  return arrivals;
}

/** Numbers in [0, 1), the same each time. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A reading a minute for so many days, with `perDay` gaps of up to half an hour a day, most of them short. */
function radio(days: number, perDay: number, seed: number): Arrival[] {
  const random = numbers(seed);
  const arrivals: Arrival[] = [];
  for (let at = 0; at < days * DAY; at += MINUTE) {
    arrivals.push({ at, observed: [at] });
    if (random() < perDay / 1440) at += Math.round(MINUTE * (2 + 28 * random() ** 3));
  }
  return arrivals;
}

describe("silence", () => {
  test.each([
    [10, 2 * HOUR],
    [60, DAY],
    [900, 5 * DAY],
    [3600, 20 * DAY],
  ])("of a sensor that speaks every %i s is told after three to five intervals, once", (every, dies) => {
    const silent = told(steady(0, dies, every), dies + 12 * every);
    expect(silent).toHaveLength(1);
    expect(silent[0]! - dies).toBeGreaterThanOrEqual(2 * every);
    expect(silent[0]! - dies).toBeLessThanOrEqual(5 * every);
  });

  test.each([
    ["ten readings every ten minutes", MINUTE, 10],
    ["six readings every hour", 10 * MINUTE, 6],
    ["a reading a second, every five minutes", 1, 300],
  ])(
    "is never told of a device that uploads %s, and of its death after three to five uploads",
    (_, interval, count) => {
      const every = interval * count;
      const dies = Math.max(DAY, 80 * every);
      const arrivals: Arrival[] = [];
      for (let at = every; at < dies; at += every) {
        arrivals.push({ at, observed: Array.from({ length: count }, (__, i) => at - (count - i) * interval) });
      }
      const silent = told(arrivals, dies + 8 * every);
      expect(silent).toHaveLength(1);
      expect(silent[0]!).toBeGreaterThan(dies);
      expect(silent[0]!).toBeLessThan(dies + 5 * every);
    },
  );

  test.each([1, 10])(
    "of a radio that loses minutes, budget %d a day: what is told stays within twice the budget",
    (tenths) => {
      const budget = tenths / 10;
      const [days, learnt] = [21, 7];
      let alerts = 0;
      const sensors = 3;
      for (let seed = 1; seed <= sensors; seed++) {
        alerts += told(radio(days, 4, seed), days * DAY, budget).filter((at) => at > learnt * DAY).length;
      }
      expect(alerts / (sensors * (days - learnt))).toBeLessThanOrEqual(2 * budget);
    },
  );

  test("the death of a radio that loses minutes is told within three hours", () => {
    const dies = 10 * DAY;
    const silent = told(radio(10, 4, 4), dies + 4 * HOUR).filter((at) => at > dies);
    expect(silent).toHaveLength(1);
    expect(silent[0]! - dies).toBeLessThanOrEqual(3 * HOUR);
  });

  test("a new, slower rhythm is told at most twice", () => {
    const arrivals = [...steady(0, 5 * DAY, 60), ...steady(5 * DAY, 8 * DAY, 600)];
    expect(told(arrivals, 8 * DAY).length).toBeLessThanOrEqual(2);
  });

  test("what is off every night is told a few times and then known", () => {
    const arrivals = Array.from({ length: 30 }, (_, day) => steady(day * DAY, day * DAY + 16 * HOUR, 60)).flat();
    const silent = told(arrivals, 30 * DAY);
    expect(silent.length).toBeLessThanOrEqual(6);
    expect(silent.filter((at) => at > 15 * DAY).length).toBeLessThanOrEqual(1);
  });

  test("one long outage does not make a sensor deaf: the next one, two days later, is told within an hour", () => {
    const arrivals = [...steady(0, 10 * DAY, 60), ...steady(11 * DAY, 13 * DAY, 60)];
    const silent = told(arrivals, 13 * DAY + 2 * HOUR);
    expect(silent).toHaveLength(2);
    expect(silent[1]! - 13 * DAY).toBeLessThanOrEqual(HOUR);
  });

  test("is not told where the platform itself stood still, whether the sensor comes back at once or dies later", () => {
    const down: [number, number] = [DAY, DAY + 2 * HOUR];
    const arrivals = [...steady(0, down[0], 60), ...steady(down[1] + 30, 2 * DAY, 60)];
    expect(told(arrivals, 2 * DAY, 0.1, down)).toEqual([]);
    const silent = told(steady(0, down[0], 60), down[1] + HOUR, 0.1, down);
    expect(silent).toHaveLength(1);
    expect(silent[0]!).toBeGreaterThan(down[1]);
    expect(silent[0]!).toBeLessThan(down[1] + 6 * MINUTE);
  });

  test.each([
    ...[2, 4, 6, 9, 12, 14, 16, 30].map((down) => [1, down]),
    ...[2, 4, 6, 9, 12, 14, 16, 30].map((down) => [2, down]),
    ...[6, 20, 40, 70].map((down) => [15, down]),
    [60, 120],
  ])("is not told of a sensor that speaks every %i s where the platform was down for %i s", (every, down) => {
    // Wherever between two readings the platform is ended; a sender that waits longer after each failure comes back late.
    for (let at = HOUR; at < HOUR + every; at++) {
      for (const late of [0, Math.min(5, down)]) {
        const stood: [number, number] = [at, at + down];
        const taken = steady(0, 2 * HOUR, every).filter((a) => a.at < stood[0] || a.at >= stood[1] + late);
        expect(told(taken, 2 * HOUR, 0.1, stood)).toEqual([]);
      }
    }
  });

  test.each([1, 2, 15])(
    "is told in time of a sensor that speaks every %i s and died as the platform went down",
    (every) => {
      for (const down of [4, 8, 30, HOUR]) {
        const silent = told(steady(0, HOUR, every), 2 * HOUR + 10 * MINUTE, 0.1, [HOUR, HOUR + down]);
        expect(silent).toHaveLength(1);
        expect(silent[0]! - (HOUR + down)).toBeGreaterThan(2 * every);
        expect(silent[0]! - (HOUR + down)).toBeLessThanOrEqual(5 * every + Math.min(down, 30));
      }
    },
  );

  test("is told of a dead sensor also where the log stands still again and again", () => {
    const detector = createDetector();
    const slot = detector.addSensor("", "");
    const silent: number[] = [];
    for (let now = 1; now <= HOUR; now++) {
      if (now < HOUR / 2) score(detector, slot, [now]);
      if (now % 10 > 6) continue;
      if (detector.tick(START_US + now * 1e6).length > 0) silent.push(now);
    }
    expect(silent).toHaveLength(1);
    expect(silent[0]! - HOUR / 2).toBeLessThanOrEqual(2 * MINUTE);
  });

  test("a sensor that was met just before the platform was down for long dies later, and that is told in time", () => {
    // Its rhythm is not known yet: the hour is no gap of it.
    for (const met of [3, 10, 20]) {
      const down: [number, number] = [met * 10 + 5, HOUR];
      const silent = told([...steady(0, down[0], 10), ...steady(HOUR, 2 * HOUR, 10)], 3 * HOUR, 0.1, down);
      expect(silent).toHaveLength(1);
      expect(silent[0]! - 2 * HOUR).toBeLessThanOrEqual(MINUTE);
    }
  });

  test("readings of long ago are history: nobody is silent for want of more", () => {
    const arrivals = Array.from({ length: 200 }, (_, i) => ({ at: i + 1, observed: [i * 60 - 30 * DAY] }));
    expect(told(arrivals, HOUR)).toEqual([]);
  });

  test("goes on from saved state as if nothing had been saved", () => {
    const arrivals = radio(12, 6, 9).filter(({ at }) => at % (3 * DAY) > 5 * HOUR);
    const until = 12 * DAY;
    const whole = told(arrivals, until);
    let detector = createDetector();
    const slot = detector.addSensor("", "");
    const silent: number[] = [];
    let next = 0;
    for (let now = 1; now <= until; now++) {
      while (next < arrivals.length && arrivals[next]!.at < now) score(detector, slot, arrivals[next++]!.observed);
      if (detector.tick(START_US + now * 1e6).length > 0) silent.push(now);
      if (now % 40_007 !== 0) continue;
      const saved = detector.saveChunk(0);
      detector = createDetector();
      detector.loadChunk(0, saved, 1);
    }
    expect(silent).toEqual(whole);
    expect(whole.length).toBeGreaterThan(0);
  });
});
