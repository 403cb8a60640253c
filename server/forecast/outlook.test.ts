import { expect, test } from "vitest";
import { Random } from "../../testing/random.ts";
import { approach, BARRED, QUIET } from "./approach.ts";
import type { Crossing } from "./crossing.ts";
import { Outlook, OutlookMemory } from "./outlook.ts";

const MINUTE_US = 60e6;
const HOUR_US = 60 * MINUTE_US;
const AHEAD_US = 12 * HOUR_US;
const DAY = 24 * 60;
const UPPER = { setting: "range_max", value: 60 } as const;
const LOWER = { setting: "range_min", value: 40 } as const;

const random = new Random(7);
const NOISE = Float64Array.from({ length: 20 * DAY }, () => random.next() - 0.5);
const course = (n: number) => 4 * Math.sin((2 * Math.PI * n) / DAY);
const season = (timeUs: number) => 50 + course(timeUs / MINUTE_US);

/** A reading a minute, and a look after each step. */
function follow(minutes: number, value: (n: number) => number, outlook: Outlook = begun(), from = 0) {
  for (let n = from; n < minutes; n++) if (outlook.reading(n * MINUTE_US, value(n))) outlook.look(season);
  return outlook;
}
const calm = (n: number) => 50 + course(n) + NOISE[n]!;
/** From the 8th day on it rises by 10 in 24 hours. */
const rising = (n: number) => calm(n) + Math.max(0, n - 8 * DAY) / 144;
const falling = (n: number) => 2 * calm(n) - rising(n);
const begun = () => Outlook.begun(AHEAD_US, new OutlookMemory());
const firstBeyond = (value: (n: number) => number) => {
  for (let n = 0; ; n++) if (value(n) > UPPER.value) return n * MINUTE_US;
};

test("a new course toward a limit is told hours before, and the time of the crossing is within the range that is told", () => {
  const crossedUs = firstBeyond(rising);
  const outlook = follow(crossedUs / MINUTE_US - 6 * 60, rising);
  const crossing = outlook.crossing(UPPER)!;
  expect(crossing.probability).toBeGreaterThan(0.9);
  expect(crossing.earliestUs).toBeLessThanOrEqual(crossedUs);
  expect(crossing.latestUs ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(crossedUs);
  expect(Math.abs(crossing.expectedUs! - crossedUs)).toBeLessThan(3 * HOUR_US);
  expect(outlook.crossing(LOWER)).toBeUndefined();
});

test("a fall toward the lower limit is the same", () => {
  const crossing = follow(8 * DAY + 11 * 60, falling).crossing(LOWER);
  expect(crossing?.probability).toBeGreaterThan(0.7);
});

test("nothing is ahead of a sensor that goes its usual way, however near the limit that leads", () => {
  for (let hours = 0; hours < 48; hours++) {
    const outlook = follow(8 * DAY + hours * 60, calm);
    expect(outlook.crossing({ setting: "range_max", value: 55 }), `hour ${hours}`).toBeUndefined();
  }
});

test("a tank that is filled and emptied as ever is heading for nothing", () => {
  const tank = (n: number) => 20 + (n % 1300) / 35 + NOISE[n]!;
  const outlook = begun();
  let told = 0;
  for (let n = 0; n < 12 * DAY; n++) {
    if (!outlook.reading(n * MINUTE_US, tank(n))) continue;
    outlook.look(() => 38);
    if (n > 5 * DAY && outlook.crossing({ setting: "range_max", value: 56 }) !== undefined) told++;
  }
  expect(told).toBe(0);
});

test("an outlook in the memory of one that was released begins anew, and disturbs no neighbour", () => {
  const memory = new OutlookMemory();
  const [former, neighbour] = [1, 2].map(() => follow(8 * DAY, rising, Outlook.begun(AHEAD_US, memory)));
  const kept = Uint8Array.from(neighbour!.bytes());
  former!.release(memory);
  const next = Outlook.begun(AHEAD_US, memory);
  expect(next.bytes().byteOffset).toBe(former!.bytes().byteOffset);
  expect(next.bytes()).toEqual(begun().bytes());
  expect(follow(8 * DAY, falling, next).bytes()).toEqual(follow(8 * DAY, falling).bytes());
  expect(neighbour!.bytes()).toEqual(kept);
});

test("a restart in the middle changes nothing", () => {
  const minutes = 8 * DAY + 18 * 60;
  const whole = follow(minutes, rising);
  const before = follow(7 * DAY + 13, rising);
  before.setApproach(1, { state: "open", calm: 1 });
  const restored = Outlook.saved(before.bytes(), new OutlookMemory());
  expect(restored.approach(1)).toEqual({ state: "open", calm: 1 });
  restored.setApproach(1, QUIET);
  follow(minutes, rising, restored, 7 * DAY + 13);
  expect(restored.bytes()).toEqual(whole.bytes());
  expect(restored.crossing(UPPER)).toEqual(whole.crossing(UPPER));
});

test("a gap leaves no course: after it all begins anew", () => {
  const outlook = follow(8 * DAY + 18 * 60, rising);
  expect(outlook.crossing(UPPER)).toBeDefined();
  outlook.reading(18 * DAY * MINUTE_US, 57);
  outlook.look(season);
  expect(outlook.crossing(UPPER)).toBeUndefined();
});

const NOW = 1000;
const crossing = (probability: number, expectedUs: number | undefined = NOW + 1): Crossing => ({
  ...{ setting: "range_max", limit: 60, probability, earliestUs: NOW, expectedUs, latestUs: undefined },
});

test("an early alert opens at a probability of 0.7 and is over after two looks below 0.4", () => {
  expect(approach(QUIET, crossing(0.69), NOW)).toEqual(QUIET);
  expect(approach(QUIET, crossing(0.9, NOW), NOW)).toEqual(QUIET);
  const open = approach(QUIET, crossing(0.7), NOW);
  expect(open).toEqual({ state: "open", calm: 0 });
  expect(approach(open, crossing(0.4, undefined), NOW)).toEqual({ state: "open", calm: 0 });
  const once = approach(open, undefined, NOW);
  expect(once).toEqual({ state: "open", calm: 1 });
  expect(approach(once, crossing(0.5), NOW)).toEqual({ state: "open", calm: 0 });
  expect(approach(once, crossing(0.39), NOW)).toEqual(QUIET);
});

test("after a crossing, or a person's word, nothing opens until the crossing is improbable again", () => {
  expect(approach(BARRED, crossing(1), NOW)).toEqual(BARRED);
  expect(approach(BARRED, crossing(0.4), NOW)).toEqual(BARRED);
  expect(approach(BARRED, undefined, NOW)).toEqual(QUIET);
});
