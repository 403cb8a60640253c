/** One test for each kind, by signals as plants have them; none by a constant of theirs. */
import { expect, test } from "vitest";
import { Random } from "../../testing/random.ts";
import { SignalStatistics } from "./signal-kind.ts";

const MINUTE_US = 60e6;

/** The kind after so many readings a minute apart. */
function recognised(value: (n: number, random: Random) => number, { readings = 6000, scale = 1, seed = 1 } = {}) {
  const random = new Random(seed);
  const signal = new SignalStatistics();
  for (let n = 0; n < readings; n++) signal.add(n * MINUTE_US, scale * value(n, random));
  return signal.recognise();
}

/** The same at other sizes: no kind depends on the unit. */
function expectKind(kind: string, value: (n: number, random: Random) => number, detail: RegExp): void {
  for (const [seed, scale] of [1, 0.001, 1000].entries()) {
    const found = recognised(value, { seed, scale });
    expect(found).toEqual({ kind, detail: expect.stringMatching(detail) });
  }
}

const noise = (random: Random) => random.next() + random.next() + random.next() - 1.5;
const wave = (n: number) => Math.sin((2 * Math.PI * n) / 1440);

test("a value that moves at most readings is continuous", () => {
  expectKind("continuous", (n, random) => 20 + 5 * wave(n) + noise(random), /any value/);
  let at = 0;
  expectKind("continuous", (_, random) => (at += noise(random)), /any value/);
});

test("a value measured so coarsely that its steps show is quantised", () => {
  expectKind("quantised", (n, random) => Math.round(20 + 2 * wave(n) + 0.1 * noise(random)) / 2, /steps of/);
  expectKind("quantised", (n, random) => Math.round(10 * (20 + 5 * wave(n) + 0.1 * noise(random))) / 10, /steps of/);
});

test("a few values that are each held for a while are steps", () => {
  const levels = [17, 19.5, 21.5];
  expectKind("steps", (n) => levels[Math.floor(n / 240) % 3]!, /3 values, and holds/);
  expectKind("steps", () => 7, /one value/);
});

test("two levels in cycles are on and off, also with noise on both and a short on", () => {
  const detail = /changes about every 20 min/;
  expectKind("on_off", (n) => Number(n % 20 < 8), detail);
  expectKind("on_off", (n, random) => (n % 20 < 8 ? 8 + 0.3 * noise(random) : 0.01 * random.next()), detail);
  expectKind("on_off", (n) => Number(n % 20 < 2), detail);
});

test("a state of rest in which something happens now and then is an event", () => {
  let open = 0;
  expectKind(
    "event",
    (_, random) => {
      if (open > 0) open--;
      else if (random.next() < 0.01) open = 1 + Math.floor(10 * random.next());
      return Number(open > 0);
    },
    /two values, one of them 9\d % of the time/,
  );
});

test("what grows and starts again from zero is a counter, and what falls a little is none", () => {
  let total = 0;
  expectKind("counter", (n, random) => (total = n % 2500 === 2499 ? 0 : total + random.next()), /upward/);
  expect(recognised((n, random) => 0.01 * n + 2 * noise(random)).kind).toBe("continuous");
});

test("what rests at one value and varies in between is intermittent", () => {
  expectKind("intermittent", (n, random) => Math.max(0, 5 * wave(n) * (1 + 0.2 * noise(random))), /rests at one value/);
});

test("too few readings name no kind, and an old behaviour is forgotten", () => {
  expect(recognised(() => 1, { readings: 150 })).toEqual({ kind: undefined, detail: "50 more readings are needed" });
  const turned = (n: number, random: Random) => (n < 6000 ? Number(n % 20 < 8) : 20 + noise(random));
  expect(recognised(turned, { readings: 40_000 }).kind).toBe("continuous");
});
