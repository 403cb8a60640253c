import { describe, expect, test } from "vitest";
import { createDetector, createScoreBatch, type Detector, defaultModel, KernelTrunk, REASONS } from "./index.ts";

const START = 1_704_067_200e6;
const MINUTE = 60e6;

/** Deterministic noise in [-1, 1). */
function noise(i: number): number {
  const x = Math.imul((i + 1) ^ 0x5bd1e995, 0x9e3779b1);
  return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0) / 2 ** 31 - 1;
}
const quiet = (i: number) => 20 + noise(i);
const reasonOf = (name: string) => REASONS.indexOf(name);

function send(detector: Detector, from: number, to: number, value: (i: number) => number, everyMinutes = 1) {
  const batch = createScoreBatch(1);
  batch.length = 1;
  return Array.from({ length: to - from }, (_, k) => {
    batch.timeUs[0] = START + (from + k) * everyMinutes * MINUTE;
    batch.value[0] = value(from + k);
    detector.score(batch);
    return { anomaly: batch.anomaly[0]!, signal: batch.signal[0]!, expected: batch.expected[0]!, band: batch.band[0]! };
  });
}

function grown(readings = 1500, type = "t", detector = createDetector(), everyMinutes = 1): Detector {
  detector.addSensor(type, "C");
  send(detector, 0, readings, quiet, everyMinutes);
  return detector;
}

describe("what must not be learnt", () => {
  test("an incident moves neither expectation nor band, and the same excursion again is an anomaly again", () => {
    const detector = grown();
    const before = send(detector, 1500, 1501, quiet)[0]!;
    const incident = send(detector, 1501, 1601, (i) => 40 + noise(i));
    expect(incident.every((r) => r.anomaly === 1)).toBe(true);
    const calm = send(detector, 1601, 1900, quiet);
    const after = calm.at(-1)!;
    // The means and patterns of the last readings hold the incident for a while.
    expect(calm.slice(50).filter((r) => r.anomaly === 1)).toEqual([]);
    expect(Math.abs(after.expected - before.expected)).toBeLessThan(1.5);
    expect(after.band / before.band).toBeGreaterThan(0.8);
    expect(after.band / before.band).toBeLessThan(1.25);
    expect(send(detector, 1900, 1901, () => 40)[0]!.anomaly).toBe(1);
  });

  test("an excursion that keeps coming back is told again, and in the end is what this sensor does", () => {
    const detector = grown();
    const told: number[] = [];
    for (let k = 0; k < 30; k++) {
      const from = 1500 + 60 * k;
      const peak = send(detector, from, from + 2, () => 40);
      told.push(peak.some((r) => r.anomaly === 1) ? 1 : 0);
      send(detector, from + 2, from + 60, quiet);
    }
    expect(told.slice(0, 2)).toEqual([1, 1]);
    expect(told.slice(-5)).toEqual([0, 0, 0, 0, 0]);
  });

  test("a lasting new level is accepted after 240 readings and is the baseline from then on", () => {
    const detector = grown();
    const high = send(detector, 1500, 2400, (i) => 40 + noise(i));
    expect(high.slice(0, 239).every((r) => r.anomaly === 1)).toBe(true);
    expect(high.slice(300).filter((r) => r.anomaly === 1)).toEqual([]);
    expect(Math.abs(high.at(-1)!.expected - 40)).toBeLessThan(2);
  });

  test("a lasting new level of a sensor that reads every quarter of an hour is accepted after 40 readings, and normal once its means hold it", () => {
    const detector = grown(1500, "t", createDetector(), 15);
    const high = send(detector, 1500, 1800, (i) => 40 + noise(i), 15);
    expect(high.slice(0, 39).every((r) => r.anomaly === 1)).toBe(true);
    expect(high.slice(105).filter((r) => r.anomaly === 1)).toEqual([]);
  });

  test("in the cold start a new level is accepted after 24 readings", () => {
    const detector = grown(60);
    const high = send(detector, 60, 110, (i) => 40 + noise(i));
    expect(high.slice(0, 23).every((r) => r.anomaly === 1)).toBe(true);
    expect(high.slice(30).filter((r) => r.anomaly === 1)).toEqual([]);
  });

  test("the first readings of an incident do not widen ranges: the next of its kind ranks as high", () => {
    const detector = grown();
    const signals = [0, 1, 2].map((k) => {
      const from = 1500 + 400 * k;
      const peak = Math.max(...send(detector, from, from + 10, (i) => 40 + noise(i)).map((r) => r.signal));
      send(detector, from + 10, from + 400, quiet);
      return peak;
    });
    expect(Math.min(...signals)).toBeGreaterThan(0.6 * signals[0]!);
  });

  test("the signal of a young sensor is smaller by its cold-start factor than that of an old one", () => {
    const [young, old] = [200, 20_000].map((n) => send(grown(n), n, n + 1, () => 22)[0]!.signal);
    expect(young).toBeGreaterThan(0);
    expect(young).toBeLessThan(old!);
  });
});

describe("labels of the detector that spoke", () => {
  const value = reasonOf("value record");
  const ask = (detector: Detector) => detector.explain(0, START + 1500 * MINUTE, 30);

  test("move its weight by 15 % each and no other's, within 0.4 and 1.3", () => {
    const detector = grown();
    const before = ask(detector);
    detector.label(0, false, 1, value);
    const once = ask(detector);
    expect(once.weight[value]).toBeCloseTo(0.85, 12);
    expect(once.rawScore[value]).toBeCloseTo(0.85 * before.rawScore[value]!, 9);
    const forecaster = reasonOf("forecaster");
    expect(once.weight[forecaster]).toBe(1);
    expect(once.threshold).toBeCloseTo(1.15 * before.threshold, 9);
    for (let k = 0; k < 20; k++) detector.label(0, false, 1, value);
    expect(ask(detector).weight[value]).toBe(0.4);
    for (let k = 0; k < 50; k++) detector.label(0, true, 1, value);
    expect(ask(detector).weight[value]).toBe(1.3);
  });

  test("taken back or replaced leave no trace to the bit, in whatever order", () => {
    const detector = grown();
    const before = detector.saveChunk(0);
    detector.label(0, false, 1, value);
    detector.label(0, true, 1, reasonOf("season"));
    detector.label(0, false, -1, value);
    detector.label(0, true, 1, value);
    detector.label(0, true, -1, reasonOf("season"));
    detector.label(0, true, -1, value);
    expect(detector.saveChunk(0)).toEqual(before);
  });

  test("of a rule or of a detector unknown move the threshold alone", () => {
    const detector = grown();
    const weights = ask(detector).weight;
    detector.label(0, false, 1, reasonOf("impossible range"));
    expect(ask(detector).weight).toEqual(weights);
  });
});

describe("cold start", () => {
  const priors = { "": { reach: 1 }, calm: { reach: 0.5 }, bursty: { reach: 2 } };
  const young = (type: string, readings: number) =>
    grown(readings, type, createDetector({}, new KernelTrunk({ ...defaultModel, priors })));
  const at = (detector: Detector, readings: number, value: number) =>
    detector.explain(0, START + readings * MINUTE, value);

  test("a young sensor is judged by the prior of its type, which is in the model and told in the explanation", () => {
    const shares = ["calm", "other", "bursty"].map((type) => {
      const why = at(young(type, 40), 40, 24);
      expect(why).toMatchObject({ coldStart: true, readings: 40, prior: type === "other" ? "" : type });
      expect(why.rawScore[reasonOf("young sensor")]).toBe(why.total);
      return why.total / why.threshold;
    });
    expect(shares[0]! / shares[1]!).toBeCloseTo(2, 6);
    expect(shares[1]! / shares[2]!).toBeCloseTo(2, 6);
  });

  test("confidence grows with readings, and a grown sensor owes nothing to the prior", () => {
    const coldness = [24, 60, 123, 1000, 5000].map((n) => at(young("calm", n), n, 20).coldStartFactor);
    expect([...coldness].sort((a, b) => b - a)).toEqual(coldness);
    expect(coldness.at(-1)!).toBeLessThan(1.1);
    const grownUp = at(young("calm", 130), 130, 24);
    expect(grownUp).toMatchObject({ coldStart: false, prior: undefined });
    expect(grownUp.total).toBe(at(young("bursty", 130), 130, 24).total);
  });

  test.each(Object.keys(defaultModel.priors ?? {}))(
    "the committed prior of the type '%s' lets a jump of a hundred deviations through",
    (type) => {
      const detector = grown(48, type);
      expect(send(detector, 48, 49, () => 20 + 100 * 0.58)[0]!.anomaly).toBe(1);
    },
  );

  test("a sensor with one reading a day is judged from its 24th day, by the same rules", () => {
    const detector = createDetector();
    const batch = createScoreBatch(1);
    batch.length = 1;
    batch.slot[0] = detector.addSensor("meter", "m3");
    const days = Array.from({ length: 400 }, (_, day) => {
      batch.timeUs[0] = START + day * 1440 * MINUTE;
      batch.value[0] = day === 30 || day === 300 ? 80 : quiet(day);
      detector.score(batch);
      return batch.anomaly[0]!;
    });
    expect(days.flatMap((flag, day) => (flag === 1 ? [day] : []))).toEqual([30, 300]);
  });
});

test("an explanation says how far a reading was from the threshold: total over threshold reaches one where it is an anomaly", () => {
  const detector = grown();
  for (const value of [20, 21, 22, 23, 24, 26, 30, 60]) {
    const why = detector.explain(0, START + 1500 * MINUTE, value);
    expect(why.total >= why.threshold).toBe(why.batch.anomaly[0] === 1);
    expect(Math.max(...why.rawScore)).toBeLessThanOrEqual(why.total + 1e-9);
  }
});

describe("a value that freezes", () => {
  /** A slow sensor, one reading an hour, that repeats its value from a reading on; reasons of the abnormal ones in that time. */
  function frozen(before: number, repeats: number, times = 1): string[][] {
    const detector = createDetector();
    detector.addSensor("", "");
    const batch = createScoreBatch(1);
    batch.length = 1;
    let i = 0;
    const send = (value: number): string => {
      batch.timeUs[0] = 1.7e15 + i++ * 3600e6;
      batch.value[0] = value;
      detector.score(batch);
      return batch.anomaly[0] === 1 ? REASONS[batch.reason[0]!]! : "";
    };
    const normal = () => 12 + Math.round(100 * noise(i)) / 100;
    return Array.from({ length: times }, () => {
      for (let k = 0; k < before; k++) send(normal());
      const value = normal();
      return Array.from({ length: repeats }, () => send(value)).filter((reason) => reason !== "");
    });
  }

  test("is told on a sensor that reads once an hour, within its range, from the eighth repetition on", () => {
    const [told] = frozen(1000, 14);
    expect(new Set(told)).toEqual(new Set(["stuck value"]));
    expect(told!.length).toBeGreaterThanOrEqual(5);
    expect(frozen(1000, 7)).toEqual([[]]);
  });

  test("time after time is what the sensor does", () => {
    const told = frozen(600, 20, 5).map((reasons) => reasons.length);
    expect(told.slice(0, 2).every((count) => count > 0)).toBe(true);
    expect(told.at(-1)).toBe(0);
  });
});

test.each([Number.MAX_VALUE, -1e300, 1e12])("one reading of %d leaves nothing behind but its alert", (huge) => {
  const detector = createDetector();
  detector.addSensor("", "");
  send(detector, 0, 2000, quiet);
  expect(send(detector, 2000, 2001, () => huge)[0]!.anomaly).toBe(1);
  const after = send(detector, 2001, 3000, quiet);
  expect(after.filter(({ anomaly }) => anomaly === 1)).toEqual([]);
  expect(Math.max(...after.map(({ expected }) => Math.abs(expected - 20)))).toBeLessThan(2);
  expect(send(detector, 3000, 3001, () => 40)[0]!.anomaly).toBe(1);
});
