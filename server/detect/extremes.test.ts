/** What is beyond the extremes of a sensor, by what it has done over hours and not by its last minutes alone. */
import { expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import { createDetector, createScoreBatch } from "./index.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;

/** Flags of the readings of a sensor that reads every so many seconds. */
function anomalies(
  readings: number,
  everyS: number | ((i: number) => number),
  value: (i: number) => number,
): Uint8Array {
  const gapS = typeof everyS === "number" ? () => everyS : everyS;
  const detector = createDetector();
  const slot = detector.addSensor("", "");
  const batch = createScoreBatch(readings);
  batch.length = readings;
  for (let i = 0, timeUs = START_US; i < readings; i++, timeUs += gapS(i) * 1e6) {
    batch.slot[i] = slot;
    batch.timeUs[i] = timeUs;
    batch.value[i] = value(i);
  }
  detector.score(batch);
  return batch.anomaly;
}

/** Runs of anomalous readings from reading `from` on, of which ten normal ones in a row are the end. */
function alertsFrom(from: number, anomaly: Uint8Array): number {
  let [alerts, calm] = [0, 10];
  for (let i = from; i < anomaly.length; i++) {
    if (anomaly[i] === 1 && calm >= 10) alerts++;
    calm = anomaly[i] === 1 ? 0 : calm + 1;
  }
  return alerts;
}

test("a sensor that reads every ten seconds, rests at night and has another load each hour alarms rarely", () => {
  const perHour = 360;
  const perDay = 24 * perHour;
  let alerts = 0;
  for (const seed of [1, 2, 3]) {
    const random = new Random(seed);
    let load = 0;
    const anomaly = anomalies(20 * perDay, 10, (i) => {
      if (i % perHour === 0) load = 0.9 * load + 0.12 * random.normal();
      const hour = (i % perDay) / perHour;
      return hour >= 6 && hour < 22 ? 20 + 2 * load + 0.5 * random.normal() : 0.12 * Math.exp(0.15 * random.normal());
    });
    alerts += alertsFrom(7 * perDay, anomaly);
  }
  // The budget is 0.1 a day. By its extremes of an hour alone it was 1.
  expect(alerts / (3 * 13)).toBeLessThanOrEqual(0.3);
});

test("one large excursion long ago does not hide a drift", () => {
  const random = new Random(4);
  const [stopAt, driftAt] = [15_000, 40_000];
  const anomaly = anomalies(driftAt + 3000, 60, (i) => {
    if (i >= stopAt && i < stopAt + 150) return 22;
    const drift = Math.max(0, i - driftAt) / 300;
    return 180 + 0.4 * random.normal() + 1.5 * Math.sin(i / 130) + drift;
  });
  expect(anomaly.subarray(driftAt).indexOf(1)).toBeGreaterThan(0);
});

test("a sensor that reads once an hour after it has read each second is judged on, and does not alarm at that", () => {
  const random = new Random(6);
  const seldomFrom = 40_000;
  const spikeAt = seldomFrom + 500;
  // By the change the blocks have doubled three times: of hours the shortest is longer than all that follows.
  const anomaly = anomalies(
    spikeAt + 1,
    (i) => (i < seldomFrom ? 1 : 3600),
    (i) => 20 + random.normal() + (i === spikeAt ? 8 : 0),
  );
  expect(alertsFrom(0, anomaly.subarray(seldomFrom, spikeAt))).toBeLessThanOrEqual(1);
  expect(anomaly[spikeAt]).toBe(1);
});

test("an incident that outlasts the longest blocks, and the doubling of their lengths, leaves the band as it was", () => {
  const random = new Random(7);
  const [stuckFrom, stuckTo] = [3000, 23_000];
  const spikeAt = stuckTo + 2000;
  // Nothing is learnt from a stuck value: many blocks have no extremes at all.
  const anomaly = anomalies(spikeAt + 1, 1, (i) => {
    if (i >= stuckFrom && i < stuckTo) return 20.5;
    return 20 + 2 * random.next() - 1 + (i === spikeAt ? 9 : 0);
  });
  expect(anomaly.subarray(stuckFrom + 1000, stuckTo)).not.toContain(0);
  expect(alertsFrom(0, anomaly.subarray(stuckTo + 1, spikeAt))).toBeLessThanOrEqual(1);
  expect(anomaly[spikeAt]).toBe(1);
});
