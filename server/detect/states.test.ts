/** Signals of two states: how long one lasts, at which time of day, and what is told of it. */
import { expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch, REASONS, type ScoreBatch } from "./index.ts";
import { alertMessage } from "./message.ts";

const DAY = 1440;
const START_US = Date.UTC(2026, 0, 5) * 1000;
const HELD = REASONS.indexOf("time in state");

/** Scores readings a minute apart. */
function scored(readings: number, value: (i: number) => number): ScoreBatch {
  const detector = createDetector();
  detector.addSensor("", "");
  const batch = createScoreBatch(readings);
  batch.length = readings;
  for (let i = 0; i < readings; i++) {
    batch.timeUs[i] = START_US + i * 60e6;
    batch.value[i] = value(i);
  }
  detector.score(batch);
  return batch;
}

function heldIn(batch: ScoreBatch, from: number, until: number): number {
  let count = 0;
  for (let i = from; i < until; i++) if (batch.anomaly[i] === 1 && batch.reason[i] === HELD) count++;
  return count;
}

/** A pump with noise on both levels, some 6 minutes on and 12 off; off from reading `from` to `until`. */
function pump(from: number, until: number) {
  const random = new Random(4);
  let [on, left] = [false, 0];
  return (i: number) => {
    if (left-- <= 0) {
      on = !on;
      left = on ? 4 + random.below(4) : 8 + random.below(10);
    }
    return (on && !(i >= from && i < until) ? 5.5 : 0) + 0.02 * random.normal();
  };
}

test("a pump that does not start is told within two and a half hours as a state that lasts, until it starts again", () => {
  const [from, until] = [12 * DAY, 12 * DAY + 300];
  const batch = scored(14 * DAY, pump(from, until));
  expect(heldIn(batch, 0, from)).toBe(0);
  expect(heldIn(batch, from, from + 150)).toBeGreaterThan(0);
  expect(heldIn(batch, from + 150, until)).toBe(150);
  expect(heldIn(batch, until + 30, 14 * DAY)).toBe(0);
});

test("since when a sensor has been in its state is known of two states alone", () => {
  const lastChange = (value: (i: number) => number, readings: number) => {
    const detector = createDetector();
    detector.addSensor("", "");
    const batch = createScoreBatch(readings);
    batch.length = readings;
    let at = 0;
    for (let i = 0; i < readings; i++) {
      batch.timeUs[i] = START_US + i * 60e6;
      batch.value[i] = value(i);
      if (i > 0 && batch.value[i]! > 2 !== batch.value[i - 1]! > 2) at = batch.timeUs[i]!;
    }
    detector.score(batch);
    return { since: detector.inStateSince(0), at };
  };
  const ofPump = lastChange(pump(0, 0), 9 * DAY);
  expect(ofPump.since).toBe(ofPump.at);
  const random = new Random(3);
  expect(lastChange(() => random.normal(), 3 * DAY).since).toBeNaN();
});

/** A door that is opened often by day on workdays, and shut all night and at the weekend; shut on one workday. */
function door(shutOn: number) {
  const random = new Random(9);
  return (i: number) => {
    const day = Math.floor(i / DAY);
    const hour = (i % DAY) / 60;
    const open = day % 7 < 5 && hour >= 7 && hour < 19 && random.next() < 0.2;
    return Number(open && day !== shutOn);
  };
}

test("a door that is shut all night and at weekends is not told, one that stays shut on a workday is", () => {
  const shutOn = 30;
  const batch = scored(32 * DAY, door(shutOn));
  expect(heldIn(batch, 0, shutOn * DAY + 7 * 60)).toBe(0);
  expect(heldIn(batch, shutOn * DAY + 7 * 60, shutOn * DAY + 19 * 60)).toBeGreaterThan(60);
});

test("what takes any value between its levels has no states: a slow wave is never told as one that lasts", () => {
  const random = new Random(2);
  const batch = scored(14 * DAY, (i) => 20 + 5 * Math.sin((2 * Math.PI * i) / DAY) + 0.2 * random.normal());
  expect(heldIn(batch, 0, 14 * DAY)).toBe(0);
});

test("the message says that a state lasts, and what that mostly means", () => {
  const text = alertMessage({
    sensorId: "pump-1",
    sensorType: "power",
    unit: "kW",
    location: undefined,
    score: 6000,
    severity: 1,
    value: 0,
    expected: 0,
    band: 1,
    reason: HELD,
    readings: 30,
    sinceUs: START_US,
    recoveredUs: Number.NaN,
  });
  expect(text).toContain("power of pump-1 in one state for too long since 2026-01-05 00:00:00 UTC");
  expect(text).toContain("a cycle that did not come, or something left open or running");
});
