/** Local time and holidays: what the detector expects follows the clock on the wall. */
import { expect, test } from "vitest";
import { timeZoneRules } from "../lib/time-zone.ts";
import { calendarOf, zoneRules } from "./calendar.ts";
import { createDetector, createScoreBatch, type Detector, type DetectorSettings, defaultModel } from "./index.ts";
import { sensorLayout } from "./kernel/layout.ts";

const HOUR_US = 3600e6;
const DAY_US = 24 * HOUR_US;
const STEP_US = HOUR_US / 4;
const us = (text: string) => Date.parse(text) * 1000;
/** 25 October 2026, when Berlin's clocks go back an hour. */
const CHANGE_US = us("2026-10-25T01:00:00Z");

function zoneOf(name: string) {
  const { firstOffset, changeAt, changeTo } = timeZoneRules(name);
  return zoneRules(
    firstOffset * 1e6,
    changeAt.map((at, i) => ({ atUs: Number(at) * 1e6, offsetUs: changeTo[i]! * 1e6 })),
  );
}
const BERLIN = zoneOf("Europe/Berlin");
const offsetUs = (timeUs: number) =>
  BERLIN.changes.findLast(({ atUs }) => atUs <= timeUs)?.offsetUs ?? BERLIN.firstOffsetUs;

const dayOf = (text: string) => us(`${text}T00:00:00Z`) / DAY_US;

/** Noise within ±1, by number. */
const noise = (n: number) => ((Math.imul(n ^ 0x5bd1e995, 0x9e3779b1) >>> 8) % 2000) / 1000 - 1;

/** Work from 6:00 to 18:00 by local time, on weekdays alone where `rests` says so. */
function plant(rests: (localDay: number) => boolean = () => false) {
  return (timeUs: number, n: number) => {
    const local = timeUs + offsetUs(timeUs);
    const hour = (local % DAY_US) / HOUR_US;
    const works = hour >= 6 && hour < 18 && !rests(Math.floor(local / DAY_US));
    return 20 + (works ? 10 + 4 * Math.sin(((hour - 6) / 12) * Math.PI) : 0) + 0.4 * noise(n);
  };
}

class Course {
  readonly detector: Detector = createDetector();
  readonly #batch = createScoreBatch(1);
  #n = 0;

  constructor(settings: DetectorSettings = {}) {
    this.detector.addSensor("power", "kW");
    this.detector.configureSensor(0, settings);
  }

  /** Readings of [from, until): how far they were from what was expected on average, and how many were anomalous. */
  run(fromUs: number, untilUs: number, value: (timeUs: number, n: number) => number) {
    let [error, anomalies, count] = [0, 0, 0];
    for (let timeUs = fromUs; timeUs < untilUs; timeUs += STEP_US) {
      const batch = this.#batch;
      batch.length = 1;
      batch.timeUs[0] = timeUs;
      batch.value[0] = value(timeUs, this.#n++);
      this.detector.score(batch);
      if (Number.isNaN(batch.expected[0]!)) continue;
      count++;
      error += Math.abs(batch.value[0]! - batch.expected[0]!);
      anomalies += batch.anomaly[0]!;
    }
    return { error: error / count, anomalies };
  }
}

const WEEKS = 7 * DAY_US;

test("in the week after a clock change a sensor by local time is expected as well as before, and one by UTC is not", () => {
  const results = [{ zone: BERLIN }, {}].map((settings) => {
    const course = new Course(settings);
    course.run(CHANGE_US - 8 * WEEKS, CHANGE_US - WEEKS, plant());
    return {
      before: course.run(CHANGE_US - WEEKS, CHANGE_US, plant()),
      after: course.run(CHANGE_US, CHANGE_US + WEEKS, plant()),
    };
  });
  const [local, utc] = results;
  expect(local!.after.error).toBeLessThan(1.1 * local!.before.error);
  expect(local!.after.anomalies).toBe(0);
  expect(utc!.after.error).toBeGreaterThan(1.3 * utc!.before.error);
});

test("where a sensor gets another time zone, what it had learnt of the day moves with the clock", () => {
  const [moved, fresh] = [true, false].map((changes) => {
    const course = new Course();
    const untilUs = us("2026-09-01T00:00:00Z");
    course.run(untilUs - 6 * WEEKS, untilUs, plant());
    if (changes) course.detector.configureSensor(0, { zone: BERLIN });
    return course.run(untilUs, untilUs + WEEKS, plant());
  });
  expect(moved!.anomalies).toBe(0);
  expect(moved!.error).toBeCloseTo(fresh!.error, 1);
});

test("a holiday is expected to run like a Sunday, or like the day of rest that is set", () => {
  // 2026-12-25 is a Friday.
  const friday = dayOf("2026-12-25");
  const untilUs = us("2026-12-24T23:00:00Z");
  const weekday = (day: number) => (day + 4) % 7;
  for (const [restDay, rest] of [[3, 0] as const, [2, 6] as const]) {
    const value = plant((day) => weekday(day) === rest || day === friday);
    const errors = [{ days: [friday], restDay }, undefined].map((holidays) => {
      const course = new Course({ zone: BERLIN, holidays });
      course.run(untilUs - 10 * WEEKS, untilUs, value);
      return course.run(untilUs, untilUs + DAY_US, value);
    });
    expect(errors[0]!.error).toBeLessThan(0.5 * errors[1]!.error);
    expect(errors[0]!.anomalies).toBeLessThanOrEqual(errors[1]!.anomalies);
  }
});

test("UTC that is set is UTC that is not, to the bit, and a calendar's state can be saved in the middle of a day", () => {
  expect(zoneOf("UTC").number).toBe(0);
  expect(calendarOf(zoneOf("UTC"), undefined)).toBeUndefined();
  const startUs = us("2026-10-01T00:00:00Z");
  const chunk = (settings: DetectorSettings, reloads: boolean) => {
    const course = new Course(settings);
    course.run(startUs, startUs + 2 * WEEKS + 5 * HOUR_US, plant());
    if (reloads) course.detector.loadChunk(0, course.detector.saveChunk(0), 1);
    course.run(startUs + 2 * WEEKS + 5 * HOUR_US, startUs + 5 * WEEKS, plant());
    return course.detector.saveChunk(0);
  };
  expect(chunk({ zone: zoneOf("UTC") }, false)).toEqual(chunk({}, false));
  const local = chunk({ zone: BERLIN, holidays: { days: [dayOf("2026-10-03")], restDay: 3 } }, false);
  expect(local).toEqual(chunk({ zone: BERLIN, holidays: { days: [dayOf("2026-10-03")], restDay: 3 } }, true));
  expect(local).not.toEqual(chunk({}, false));
});

test("a state of before there were time zones and growing blocks goes on, by UTC", () => {
  const startUs = us("2026-10-01T00:00:00Z");
  const course = new Course();
  course.run(startUs, startUs + 3 * WEEKS, plant());
  const saved = course.detector.saveChunk(0);
  // Of each sensor version 8 had the first of the cells.
  const sensors = course.detector.chunkSensors;
  const [now, then] = [sensorLayout(defaultModel.units), sensorLayout(defaultModel.units, 8)];
  const partOf = (from: number, words: number, kept: number) =>
    Array.from({ length: sensors }, (_, k) => saved.subarray(from + 4 * k * words, from + 4 * (k * words + kept)));
  const former = Buffer.concat([
    ...partOf(0, now.doubles.length, then.doubles.length),
    ...partOf(4 * sensors * now.doubles.length, now.floats.length, then.floats.length),
  ]);
  const migrated = new Course({ zone: BERLIN });
  migrated.run(startUs, startUs + WEEKS, plant());
  migrated.detector.configureSensor(0, {});
  migrated.detector.loadChunk(0, new Uint8Array(former), 1, 8);
  for (let hour = 0; hour < 24; hour++) {
    const timeUs = startUs + 3 * WEEKS + hour * 3600e6;
    const [goesOn, wanted] = [migrated, course].map(
      ({ detector }) => detector.explain(0, timeUs, 20).batch.expected[0],
    );
    expect(goesOn).toBe(wanted);
  }
  const { migratedStates, formerModels } = course.detector;
  expect([migratedStates.includes(8), formerModels.includes("telltale-4+js")]).toEqual([true, true]);
});

test("calendars that nobody uses any more make room for others, and those in use stay", () => {
  const detector = createDetector();
  for (const slot of [0, 1]) detector.addSensor("power", "kW", slot);
  detector.configureSensor(0, { zone: BERLIN });
  for (let day = 0; day < 200; day++) detector.configureSensor(1, { holidays: { days: [day], restDay: 3 } });
  const course = new Course({ zone: BERLIN });
  const batch = createScoreBatch(400);
  for (let i = 0; i < 400; i++) {
    batch.timeUs[i] = CHANGE_US + i * STEP_US;
    batch.value[i] = plant()(batch.timeUs[i]!, i);
  }
  batch.length = 400;
  detector.score(batch);
  course.run(CHANGE_US, CHANGE_US + 400 * STEP_US, plant());
  const votes = (of: Detector) => of.explain(0, CHANGE_US + 401 * STEP_US, 25).batch.expected[0];
  expect(votes(detector)).toBe(votes(course.detector));
});
