/** What of a sensor is judged: its value, or of a counter its growth per second, by its settings or by its readings. */
import { describe, expect, test } from "vitest";
import { Random } from "../../ml/random.ts";
import {
  createDetector,
  createScoreBatch,
  type Detector,
  type DetectorSettings,
  type Explanation,
  REASONS,
} from "./index.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const STEP_US = 300e6;
const DAY = 288;

type Signal = (round: number) => number;

/** A sensor that reads every five minutes. */
class Sensor {
  readonly detector: Detector = createDetector();
  #round = 0;
  readonly #batch = createScoreBatch(1);

  constructor(settings: DetectorSettings = {}) {
    this.detector.addSensor("", "");
    this.detector.configureSensor(0, settings);
    this.#batch.length = 1;
  }

  get judgesRate(): boolean {
    return this.detector.judgesRate(0);
  }

  /** Sends so many readings; answers with the reasons of the abnormal ones. */
  send(readings: number, signal: Signal): string[] {
    const reasons: string[] = [];
    for (const end = this.#round + readings; this.#round < end; this.#round++) {
      this.#batch.timeUs[0] = START_US + this.#round * STEP_US;
      this.#batch.value[0] = signal(this.#round);
      this.detector.score(this.#batch);
      if (this.#batch.anomaly[0] === 1) reasons.push(REASONS[this.#batch.reason[0]!]!);
    }
    return reasons;
  }

  /** How a value would be judged if it came next. */
  next(value: number): Explanation {
    return this.detector.explain(0, START_US + this.#round * STEP_US, value);
  }
}

/** An electricity meter: more by day than by night. */
function meter(): Signal {
  const random = new Random(3);
  let total = 12_000;
  return (round) => {
    total += 5 + 3 * Math.sin((2 * Math.PI * round) / DAY) + 0.3 * random.normal();
    return total;
  };
}

describe("a counter that nobody configured", () => {
  test("is recognised after a day, and judged by its growth like one that somebody did", () => {
    const [own, set, count] = [new Sensor(), new Sensor({ counter: true }), meter()];
    own.send(DAY, count);
    expect(own.judgesRate).toBe(false);
    own.send(2, count);
    expect(own.judgesRate).toBe(true);
    const twice: Signal[] = [meter(), meter()];
    own.send(9 * DAY, twice[0]!);
    set.send(9 * DAY + DAY + 2, twice[1]!);
    expect(set.judgesRate).toBe(true);
    const last = twice[0]!(10 * DAY);
    expect(Math.abs(own.next(last).batch.expected[0]! - last)).toBeLessThan(10);
    // It stops: no value is strange, the growth is.
    expect(own.send(40, () => last).length).toBeGreaterThan(0);
  });

  test("begins again from zero without an alert that lasts, and a fall is told as what it is", () => {
    const [sensor, count] = [new Sensor(), meter()];
    sensor.send(6 * DAY, count);
    const before = count(6 * DAY);
    expect(sensor.send(1, () => before - 60)).toEqual(["counter reset"]);
    const again = meter();
    const offset = again(0);
    const reasons = sensor.send(DAY, (round) => again(round) - offset + before - 60);
    expect(reasons.length).toBeLessThan(60);
    expect(sensor.judgesRate).toBe(true);
  });

  test("may grow evenly for ever, as an uptime does", () => {
    const uptime: Signal = (round) => 300 * round;
    for (const settings of [{}, { counter: true }]) expect(new Sensor(settings).send(7 * DAY, uptime)).toEqual([]);
  });

  test("that falls as often as others do is none any more", () => {
    const [sensor, count] = [new Sensor(), meter()];
    sensor.send(2 * DAY, count);
    expect(sensor.judgesRate).toBe(true);
    const from = count(0);
    sensor.send(60, (round) => from - 3 * (round - 2 * DAY));
    expect(sensor.judgesRate).toBe(false);
    expect(sensor.send(DAY, (round) => from + 5 * Math.sin(round / 20))).not.toContain("counter reset");
  });

  test("keeps what people said of it, and its state, over a restart", () => {
    const [sensor, count] = [new Sensor(), meter()];
    sensor.detector.label(0, false, 1, REASONS.indexOf("value record"));
    sensor.send(3 * DAY, count);
    const restarted = createDetector();
    restarted.loadChunk(0, sensor.detector.saveChunk(0), 1);
    expect(restarted.judgesRate(0)).toBe(true);
    const at = [START_US + 3 * DAY * STEP_US, count(0) + 100] as const;
    expect(restarted.explain(0, ...at)).toEqual(sensor.detector.explain(0, ...at));
    expect(sensor.detector.explain(0, ...at).weight[REASONS.indexOf("value record")]).toBeCloseTo(0.85);
  });
});

test.each<readonly [string, Signal]>([
  ["rises for hours and falls again, as temperatures do", (k) => 20 + 8 * Math.sin((2 * Math.PI * k) / DAY)],
  ["fills and is drained", (k) => (k % 100 < 90 ? k % 100 : 900 - 9 * (k % 100))],
  ["opens and shuts", (k) => (k % 40 === 0 ? 1 : 0)],
  ["has been set higher twice", (k) => 20 + (k > 100 ? 1 : 0) + (k > 500 ? 1 : 0)],
  ["begins again from zero time after time", (k) => k % 24],
])("what %s is no counter", (_what, signal) => {
  const sensor = new Sensor();
  sensor.send(5 * DAY, signal);
  expect(sensor.judgesRate).toBe(false);
});

describe("settings", () => {
  test.each<readonly [DetectorSettings, boolean]>([
    [{ counter: true }, true],
    [{ counter: false }, false],
    [{ signalKind: "counter" }, true],
    [{ signalKind: "continuous" }, false],
    [{ signalKind: "continuous", counter: true }, true],
  ])("%j count above what is recognised", (settings, judgesRate) => {
    const sensor = new Sensor(settings);
    sensor.send(3 * DAY, meter());
    expect(sensor.judgesRate).toBe(judgesRate);
  });

  test("that change what is judged begin with a new cold start, and not with what was learnt of the other quantity", () => {
    const [sensor, count] = [new Sensor({ counter: false }), meter()];
    sensor.send(3 * DAY, count);
    sensor.detector.configureSensor(0, { counter: true });
    sensor.send(100, count);
    expect(sensor.next(count(0))).toMatchObject({ readings: 100, coldStart: true });
    const next = count(3 * DAY + 101);
    expect(Math.abs(sensor.next(next).batch.expected[0]! - next)).toBeLessThan(10);
    sensor.detector.configureSensor(0, { counter: false });
    sensor.send(100, count);
    expect(sensor.next(count(0))).toMatchObject({ readings: 100, coldStart: true });
    expect(sensor.judgesRate).toBe(false);
  });
});
