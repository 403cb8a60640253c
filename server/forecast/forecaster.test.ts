import { expect, test } from "vitest";
import { Random } from "../../testing/random.ts";
import { crossingOf } from "./crossing.ts";
import { Forecaster } from "./forecaster.ts";
import { horizonsOf } from "./horizons.ts";

const MINUTE_US = 60e6;
const HOUR_US = 60 * MINUTE_US;
/** Evenly within ±1, by number. */
const random = new Random(5);
const NOISE = Float64Array.from({ length: 400_000 }, () => 2 * random.next() - 1);
const noise = (n: number) => NOISE[n]!;
const flat = () => 0;

/** A reading a minute, a season of zero, and forecasts up to 6 hours ahead. */
function follow(readings: number, value: (n: number) => number): Forecaster {
  const forecaster = new Forecaster(horizonsOf(6 * HOUR_US, MINUTE_US));
  for (let n = 0; n < readings; n++) forecaster.reading(n * MINUTE_US, value(n), flat);
  return forecaster;
}
const hourly = (forecaster: Forecaster, hours: number) =>
  forecaster.forecasts(
    Array.from({ length: hours }, (_, h) => forecaster.lastUs + (h + 1) * HOUR_US),
    flat,
  );

test("of noise the mean is expected, and each interval is as wide as the noise", () => {
  const [first, ...rest] = hourly(follow(6000, noise), 6);
  for (const { expected, quantile } of [first!, ...rest]) {
    expect(Math.abs(expected)).toBeLessThan(0.2);
    for (const share of [0.5, 0.8, 0.95]) {
      const width = quantile((1 + share) / 2) - quantile((1 - share) / 2);
      expect(width / (2 * share)).toBeGreaterThan(0.8);
      expect(width / (2 * share)).toBeLessThan(1.3);
    }
  }
});

test("a random walk stays where it is, and its intervals grow with the square root of the time", () => {
  let at = 0;
  const forecaster = follow(20_000, (n) => (at += noise(n)));
  const forecasts = hourly(forecaster, 4);
  const width = ({ quantile }: (typeof forecasts)[number]) => quantile(0.9) - quantile(0.1);
  expect(Math.abs(forecasts[0]!.expected - at)).toBeLessThan(width(forecasts[0]!) / 2);
  expect(width(forecasts[3]!) / width(forecasts[0]!)).toBeGreaterThan(1.5);
  expect(width(forecasts[3]!) / width(forecasts[0]!)).toBeLessThan(2.7);
});

test("where a value drifts toward a limit, the time of the crossing is known, and its probability grows to one", () => {
  // Up a degree an hour for a day, and down again: now 12 hours up, at about 12.
  const drift = (n: number) => {
    const hours = (n / 60) % 48;
    return (hours < 24 ? hours : 48 - hours) + 0.2 * noise(n);
  };
  const readings = 60 * (48 * 6 + 12);
  const forecaster = follow(readings, drift);
  const times = Array.from({ length: 72 }, (_, k) => forecaster.lastUs + (k + 1) * 5 * MINUTE_US);
  const forecasts = forecaster.forecasts(times, flat);
  const hours = (us: number | undefined) => (us! - forecaster.lastUs) / HOUR_US;
  const crossing = crossingOf(forecasts, { setting: "range_max", value: 15 })!;
  expect(hours(crossing.expectedUs)).toBeGreaterThan(2);
  expect(hours(crossing.expectedUs)).toBeLessThan(4.5);
  expect(hours(crossing.earliestUs)).toBeLessThanOrEqual(hours(crossing.expectedUs));
  expect(crossing.probability).toBeGreaterThan(0.8);
  expect(crossingOf(forecasts, { setting: "range_max", value: 60 })).toBeUndefined();
  expect(crossingOf(forecasts, { setting: "range_min", value: -40 })).toBeUndefined();
});

test("a short history reaches a quarter of its length ahead, and none says nothing", () => {
  const short = follow(600, noise);
  const forecasts = hourly(short, 6);
  expect(short.farthestUs).toBeGreaterThan(HOUR_US);
  expect(short.farthestUs).toBeLessThanOrEqual(2.5 * HOUR_US);
  expect(forecasts.length).toBe(Math.floor(short.farthestUs / HOUR_US));
  expect(hourly(follow(10, noise), 6)).toEqual([]);
  expect(follow(10, noise).farthestUs).toBe(0);
});

test("a gap is no outcome, and however long a history is, few of its forecasts are kept", () => {
  const forecaster = new Forecaster([HOUR_US]);
  for (let n = 0; n < 400_000; n++) {
    const timeUs = n * MINUTE_US + Math.floor(n / 1000) * 50 * HOUR_US;
    // What follows a gap has nothing to do with what was before it.
    forecaster.reading(timeUs, noise(n) + 1000 * (Math.floor(n / 1000) % 7), flat);
  }
  expect(forecaster.checked).toBeGreaterThan(100);
  expect(forecaster.checked).toBeLessThanOrEqual(600);
  const [next] = forecaster.forecasts([forecaster.lastUs + HOUR_US], flat);
  expect(next!.quantile(0.975) - next!.quantile(0.025)).toBeLessThan(4);
});

test("bursts with long gaps between have no outcomes of the short horizons: the longer ones forecast without them", () => {
  // Ten readings, a second apart, each hour: what is due between two bursts never comes.
  const forecaster = new Forecaster([6 * MINUTE_US, 24 * HOUR_US]);
  for (let n = 0; n < 10 * 24 * 10; n++)
    forecaster.reading(Math.floor(n / 10) * HOUR_US + (n % 10) * 1e6, noise(n), flat);
  expect(forecaster.farthestUs).toBe(24 * HOUR_US);
  expect(forecaster.checked).toBeGreaterThan(100);
  const forecasts = hourly(forecaster, 24);
  expect(forecasts.length).toBe(24);
  for (const { quantile } of forecasts) expect(quantile(0.9) - quantile(0.1)).toBeGreaterThan(1);
});
