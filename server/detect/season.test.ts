import { describe, expect, test } from "vitest";
import { defaultModel } from "./committed-model.ts";
import { Kernel } from "./kernel/kernel.ts";
import { offsetOf, sensorLayout } from "./kernel/layout.ts";

const MONDAY = 1_704_067_200e6;
const TEN_MINUTES = 600e6;
const PER_DAY = 144;

/** Stages of the kernel by themselves, on one sensor that reads every ten minutes. */
class Sensor {
  readonly #kernel = new Kernel(defaultModel);
  readonly #at = this.#kernel.allocate(sensorLayout(defaultModel.units).bytes, 64);

  constructor() {
    this.#kernel.put("sensor", this.#at, "interval", TEN_MINUTES);
  }

  learn(timeUs: number, value: number, before: number): void {
    const { call } = this.#kernel;
    call.updateSeason(this.#at, call.halfHourOf(timeUs), call.weekdayOf(timeUs), value, before);
  }

  get found(): number {
    return this.#kernel.views.f32[(this.#at + offsetOf("sensor", "season")) >>> 2]!;
  }

  expected(timeUs: number): number {
    return this.#kernel.call.seasonAt(this.#at, timeUs);
  }

  err(timeUs: number, error: number): void {
    const { call } = this.#kernel;
    call.updateErrorProfile(this.#at, call.halfHourOf(timeUs), error);
  }

  roughness(timeUs: number): number {
    const { call } = this.#kernel;
    return call.roughnessAt(this.#at, call.halfHourOf(timeUs));
  }
}

/** Learns `days` days of readings every ten minutes and returns the sensor. */
function learnt(days: number, value: (day: number, hour: number) => number): Sensor {
  const sensor = new Sensor();
  for (let i = 0; i < days * PER_DAY; i++) {
    sensor.learn(MONDAY + i * TEN_MINUTES, value(Math.floor(i / PER_DAY), (i % PER_DAY) / 6), i);
  }
  return sensor;
}
const at = (sensor: Sensor, day: number, hour: number) => sensor.expected(MONDAY + day * 86_400e6 + hour * 3600e6);
/** Deterministic noise in [-1, 1). */
function noise(day: number, hour: number): number {
  const x = Math.imul(Math.round(6 * (24 * day + hour)) ^ 0x5bd1e995, 0x9e3779b1);
  return (Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0) / 2 ** 31 - 1;
}

describe("the course of day and week", () => {
  test("is not assumed: where values have none, none is found", () => {
    expect(learnt(28, noise).found).toBe(0);
  });

  test("of a day is found, and no week is made up", () => {
    const f = learnt(28, (_day, hour) => 5 * Math.sin((2 * Math.PI * hour) / 24));
    expect(f.found).toBe(1);
    expect(at(f, 28, 6.25)).toBeCloseTo(5, 0);
  });

  test("of a week with weekends in small is forecastMove on both kinds of days", () => {
    const f = learnt(28, (day, hour) => (day % 7 >= 5 ? 1 : 5) * (hour >= 7 && hour < 19 ? 1 : -1));
    expect(f.found).toBe(2);
    for (const [day, hour, wanted] of [
      [28, 12, 5],
      [30, 3, -5],
      [33, 12, 1],
      [34, 3, -1],
    ] as const) {
      expect(Math.abs(at(f, day, hour) - wanted)).toBeLessThan(1.2);
    }
  });
});

test("errors that are usual at a time of day make that time rough, and no other", () => {
  const sensor = new Sensor();
  for (let i = 0; i < 10 * PER_DAY; i++) {
    const hour = (i % PER_DAY) / 6;
    sensor.err(MONDAY + i * TEN_MINUTES, hour === 7 ? 8 : 1 + 0.1 * noise(i, 0));
  }
  const rough = (hour: number) => sensor.roughness(MONDAY + hour * 3600e6);
  expect(rough(7.1)).toBeGreaterThan(4 * rough(12));
  expect(rough(7.6)).toBeLessThan(1.2 * rough(12));
});
