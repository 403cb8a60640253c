/** Settings of one sensor, field by field, and those that leave out what does not matter. */
import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, type Detector, type DetectorSettings, REASONS } from "./index.ts";

const START = 1_704_067_200e6;
const MINUTE = 60e6;
const READINGS = 1000;

/** Deterministic noise in [-1, 1). */
function noise(i: number): number {
  const x = Math.imul((i + 1) ^ 0x5bd1e995, 0x9e3779b1);
  return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0) / 2 ** 31 - 1;
}

const quiet = (i: number) => 20 + noise(i);

/** Sends readings [from, to) of one a minute to the slot; answers with the reason of each, "" where it is normal. */
function send(detector: Detector, from: number, to: number, value: (i: number) => number, slot = 0): string[] {
  const batch = createScoreBatch(1);
  batch.length = 1;
  batch.slot[0] = slot;
  return Array.from({ length: to - from }, (_, k) => {
    batch.timeUs[0] = START + (from + k) * MINUTE;
    batch.value[0] = value(from + k);
    detector.score(batch);
    if (batch.anomaly[0] === 0) expect(batch.score[0]).toBe(0);
    return batch.anomaly[0] === 1 ? REASONS[batch.reason[0]!]! : "";
  });
}

function grown(own: DetectorSettings = {}, sensors = 1): Detector {
  const detector = createDetector();
  for (let slot = 0; slot < sensors; slot++) {
    detector.addSensor("t", "C");
    send(detector, 0, READINGS, quiet, slot);
  }
  detector.configureSensor(0, own);
  return detector;
}

const next = (detector: Detector, value: number, slot = 0) =>
  REASONS[detector.explain(slot, START + READINGS * MINUTE, value).batch.reason[0]!];

describe("settings of a sensor", () => {
  test("count field by field above those of its type, and these above those of all types", () => {
    const detector = grown({}, 2);
    detector.configure("", { rangeMax: 21.5, maxRatePerSecond: 1 });
    detector.configure("t", { rangeMin: 18.5 }, true);
    detector.configureSensor(0, { rangeMax: 21.2 });
    const reasons = [21.3, 21.6, 18.4].map((value) => [next(detector, value, 0), next(detector, value, 1)]);
    const range = "impossible range";
    expect(reasons[0]![0]).toBe(range);
    expect(reasons[0]![1]).not.toBe(range);
    expect(reasons.slice(1)).toEqual([
      [range, range],
      [range, range],
    ]);
    // As before there were layers: a type's settings take the place of those of all.
    detector.configure("t", { rangeMin: 18.5 });
    expect([next(detector, 21.6, 0), next(detector, 18.4, 1)]).toEqual([range, range]);
    expect(next(detector, 21.6, 1)).not.toBe(range);
    // A sensor without settings of its own has those of its type again; and a type without any, those of all.
    detector.configureSensor(0, {});
    expect(next(detector, 21.6, 0)).not.toBe(range);
    detector.configure("t", {}, true);
    expect([next(detector, 21.6, 0), next(detector, 21.6, 1)]).toEqual([range, range]);
  });

  test("stay with the sensor when its state is loaded, and follow a change of its type's", () => {
    const detector = grown({ rangeMax: 21.2 }, 2);
    for (const chunk of [detector.saveChunk(0)]) detector.loadChunk(0, chunk, 2);
    expect(next(detector, 21.3)).toBe("impossible range");
    detector.configure("t", { rangeMin: 19 }, true);
    expect(next(detector, 18.9)).toBe("impossible range");
    expect(next(detector, 21.3)).toBe("impossible range");
    const restored = createDetector();
    restored.loadChunk(0, detector.saveChunk(0), 2);
    restored.configureSensor(0, { rangeMax: 21.2 });
    expect(next(restored, 21.3)).toBe("impossible range");
    expect(next(restored, 18.9)).not.toBe("impossible range");
  });

  test("are kept for a thousand sensors, given up and made again, without more memory each time", () => {
    const detector = createDetector({ shardSensors: 64 });
    for (let slot = 0; slot < 1000; slot++) detector.addSensor(`type ${slot % 3}`, "C");
    for (let round = 0; round < 3; round++) {
      for (let slot = 0; slot < 1000; slot++)
        detector.configureSensor(slot, { silenceSeconds: 1 + slot, off: slot % 2 === 0 });
      for (let slot = 0; slot < 1000; slot++) detector.configureSensor(slot, {});
    }
    detector.configureSensor(999, { rangeMax: 5 });
    for (const slot of [999, 996]) send(detector, 0, READINGS, (i) => quiet(i) - 15.9, slot);
    expect(next(detector, 5.1, 999)).toBe("impossible range");
    expect(next(detector, 5.1, 996)).not.toBe("impossible range");
    expect(() => detector.configureSensor(70_000, { off: true })).toThrow(RangeError);
  });
});

describe("a direction", () => {
  test.each([
    ["high", 35, 14],
    ["low", 5, 26],
  ] as const)("%s: an excursion to that side is an alert, one to the other is normal", (direction, wanted, other) => {
    const detector = grown({ direction });
    expect(send(detector, READINGS, READINGS + 1, () => other)).toEqual([""]);
    expect(send(detector, READINGS + 1, READINGS + 60, quiet).join("")).toBe("");
    const spoken = send(detector, READINGS + 60, READINGS + 61, () => wanted);
    expect(spoken[0]).not.toBe("");
    expect(send(detector, READINGS + 61, READINGS + 121, quiet).join("")).toBe("");
  });

  test("what is learnt does not depend on it: an excursion to the other side moves neither expectation nor band", () => {
    const [both, high] = [grown(), grown({ direction: "high" })];
    const low = (i: number) => (i < READINGS + 200 ? 12 + noise(i) : quiet(i));
    expect(send(both, READINGS, READINGS + 100, low).filter((reason) => reason !== "").length).toBe(100);
    expect(send(high, READINGS, READINGS + 100, low).join("")).toBe("");
    for (const detector of [both, high]) send(detector, READINGS + 100, READINGS + 300, low);
    const [a, b] = [both, high].map((detector) => detector.explain(0, START + (READINGS + 300) * MINUTE, 30));
    expect(b!.batch.expected[0]).toBe(a!.batch.expected[0]);
    expect(b!.batch.band[0]).toBe(a!.batch.band[0]);
    expect(b!.batch.anomaly[0]).toBe(1);
    // Alarms that nobody heard tire nobody.
    expect(b!.threshold).toBeLessThan(a!.threshold);
  });

  test.each([
    ["high", -1],
    ["low", 1],
  ] as const)(
    "%s: a slow drift to the other side is normal, although its readings scatter around what is expected",
    (direction, sign) => {
      const drift = (i: number) => quiet(i) + sign * Math.max(0, i - READINGS) * 0.02;
      expect(send(grown(), READINGS, READINGS + 1000, drift).join("")).not.toBe("");
      expect(send(grown({ direction }), READINGS, READINGS + 1000, drift).join("")).toBe("");
      const opposite = direction === "high" ? "low" : "high";
      expect(send(grown({ direction: opposite }), READINGS, READINGS + 1000, drift).join("")).not.toBe("");
    },
  );

  test("what has no side counts on either: limits, stuck values, a counter's reset, silence", () => {
    const limits = { rangeMin: 18.5, maxRatePerSecond: 0.2, stuckSeconds: 600 };
    const detector = grown({ direction: "high", ...limits });
    expect(next(detector, 18.4)).toBe("impossible range");
    // Votes on the other side are far stronger than the limit's.
    expect(next(detector, -1e6)).toBe("impossible range");
    const fast = grown({ direction: "high", maxRatePerSecond: 0.05 });
    expect(next(fast, 15)).toBe("impossible rate");
    const still = send(detector, READINGS, READINGS + 12, () => 19.5);
    expect(still.at(-1)).toBe("stuck value");
    const counter = createDetector();
    counter.addSensor("energy", "kWh");
    counter.configureSensor(0, { counter: true, direction: "low" });
    const count = (i: number) => 5000 + 6 * i + noise(i);
    expect(send(counter, 0, READINGS, count).join("")).toBe("");
    expect(next(counter, count(READINGS) + 600)).toBe("");
    expect(next(counter, 4500)).toBe("counter reset");
    expect(silences({ direction: "high" })).toEqual([0]);
  });

  test("an explanation says that the reading is abnormal on the side that does not matter", () => {
    const detector = grown({ direction: "high" });
    const before = detector.saveChunk(0);
    const low = detector.explain(0, START + READINGS * MINUTE, 12);
    expect(low.muted).toBe(true);
    expect(low.total).toBeLessThan(low.threshold);
    expect(Math.max(...low.rawScore)).toBeGreaterThan(low.threshold);
    expect(detector.saveChunk(0)).toEqual(before);
    const high = detector.explain(0, START + READINGS * MINUTE, 28);
    expect(high.muted).toBe(false);
    expect(high.total).toBeGreaterThanOrEqual(high.threshold);
    expect(detector.explain(0, START + READINGS * MINUTE, 20).muted).toBe(false);
  });

  test("both is what it is without", () => {
    const [plain, both] = [grown(), grown({ direction: "both", off: false })];
    const course = (i: number) => quiet(i) + (i % 97 === 0 ? 8 : 0);
    expect(send(both, READINGS, 2 * READINGS, course)).toEqual(send(plain, READINGS, 2 * READINGS, course));
    expect(both.saveChunk(0)).toEqual(plain.saveChunk(0));
  });

  test("in the cold start too", () => {
    const detector = createDetector();
    detector.addSensor("t", "C");
    detector.configureSensor(0, { direction: "low" });
    send(detector, 0, 60, quiet);
    const explained = [60, -20].map((value) => detector.explain(0, START + 60 * MINUTE, value).batch.anomaly[0]);
    expect(explained).toEqual([0, 1]);
  });
});

/** The slots that are told as silent of a sensor that spoke every minute for an hour and then no more. */
function silences(own: DetectorSettings, after: DetectorSettings = own): number[] {
  const detector = createDetector();
  detector.addSensor("t", "C");
  detector.configureSensor(0, own);
  const told: number[] = [];
  const end = START + 60 * MINUTE;
  for (let now = START, i = 0; now < end + 60 * MINUTE; now += 1e6) {
    if (now < end && now >= START + i * MINUTE) send(detector, i, ++i, quiet);
    if (now === end) detector.configureSensor(0, after);
    told.push(...detector.tick(now));
  }
  return told;
}

describe("off", () => {
  test("nothing is abnormal, broken limits neither, and readings keep what was expected", () => {
    const detector = grown({ off: true, rangeMax: 25 });
    expect(send(detector, READINGS, READINGS + 30, (i) => (i % 2 === 0 ? 90 : -50)).join("")).toBe("");
    const { batch, muted } = detector.explain(0, START + (READINGS + 30) * MINUTE, 90);
    expect([batch.anomaly[0], batch.score[0], batch.confidence[0], batch.reason[0]]).toEqual([0, 0, 0, 0]);
    expect(batch.expected[0]).toBeCloseTo(20, -1);
    expect(muted).toBe(true);
  });

  test("the sensor goes on learning: on again, it is judged at once and by what it has seen meanwhile", () => {
    const detector = grown({ off: true });
    send(detector, READINGS, READINGS + 600, (i) => 60 + noise(i));
    detector.configureSensor(0, {});
    expect(send(detector, READINGS + 600, READINGS + 630, (i) => 60 + noise(i)).join("")).toBe("");
    expect(send(detector, READINGS + 630, READINGS + 631, () => 90)[0]).not.toBe("");
  });

  test("it is never silent, also where it was turned off while a silence was to be told", () => {
    expect(silences({})).toEqual([0]);
    expect(silences({ off: true })).toEqual([]);
    expect(silences({}, { off: true })).toEqual([]);
    expect(silences({ silenceSeconds: 120, off: true })).toEqual([]);
  });

  test("a sensor's own `off: false` counts above its type's", () => {
    const detector = grown({ off: false }, 2);
    detector.configure("t", { off: true }, true);
    expect(next(detector, 60, 0)).not.toBe("");
    expect(next(detector, 60, 1)).toBe("");
  });
});
