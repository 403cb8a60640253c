import { expect, test } from "vitest";
import { type Peer, type PeerReading, type PeerState, peerOf, peersSummary } from "./peers.ts";

const reading = (timeUs: number, more: Partial<PeerReading> = {}): PeerReading => ({
  ...{ timeUs, value: 20, expected: 20, isAnomaly: false, score: 0 },
  ...more,
});
const OPENED = 100;
const summary = (...states: PeerState[]) =>
  peersSummary(
    "site/press",
    states.map((state, i): Peer => ({ sensorId: `s${i}`, state, reading: undefined })),
  );

test("a sensor is as its most abnormal reading, and where none was abnormal as usual", () => {
  const worst = reading(90, { value: 10, isAnomaly: true, score: 9000 });
  const all = [reading(80), worst, reading(95, { value: 40, isAnomaly: true, score: 7000 }), reading(100)];
  expect(peerOf("a", all, OPENED)).toEqual({ sensorId: "a", state: "below", reading: worst });
  expect(peerOf("a", [all[2]!], OPENED).state).toBe("above");
  const usual = [reading(80), reading(99), reading(102), reading(120)];
  expect(peerOf("a", usual, OPENED)).toEqual({ sensorId: "a", state: "as usual", reading: usual[1] });
  expect(peerOf("a", [], OPENED)).toEqual({ sensorId: "a", state: "no reading", reading: undefined });
});

test("where all others are as usual it is the sensor itself, and where half of several are not a common cause", () => {
  expect(summary("as usual", "as usual", "no reading")).toBe(
    "2 of 2 other sensors of site/press were as usual: likely this sensor or what it alone measures.",
  );
  expect(summary("above", "above", "below", "as usual", "as usual", "as usual")).toBe(
    "3 of 6 other sensors of site/press were abnormal at the same time (2 above, 1 below what was expected): likely a common cause.",
  );
});

test("one of several, or the only one, is named and nothing is concluded from it", () => {
  expect(summary("above", "as usual", "as usual")).toBe(
    "1 of 3 other sensors of site/press was abnormal at the same time (1 above what was expected), 2 as usual.",
  );
  expect(summary("below")).toBe(
    "1 of 1 other sensor of site/press was abnormal at the same time (1 below what was expected), 0 as usual.",
  );
});

test("nothing follows from sensors without readings, or from none", () => {
  expect(summary()).toBe("");
  expect(summary("no reading")).toBe("");
});
