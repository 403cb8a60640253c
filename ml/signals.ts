/**
 * Ten kinds of signal for the golden scores, from plain arithmetic and seeded numbers, so that they are the same on every machine.
 * They are made to reach every branch of the kernel, not to look real: sizes from the smallest denormal number to 1e300, both
 * zeros, values that stand still, courses of day and week, incidents that end, stay or return.
 */
import { DAY_US } from "../server/lib/time.ts";
import type { Random } from "./random.ts";

/** The next value of a signal at its reading number `n`, observed at `timeUs`. */
export type Signal = (n: number, timeUs: number) => number;

/** One wave with the period 1 between -1 and 1: two parabolas. */
function wave(phase: number): number {
  const x = 2 * (phase - Math.floor(phase));
  return x < 1 ? 4 * x * (1 - x) : -4 * (x - 1) * (2 - x);
}

/** Now and then a fault: a spike, a step that stays for a while, a value that sticks. Returns the value with it. */
function withFaults(random: Random, signal: Signal, size: number): Signal {
  let left = 0;
  let kind = 0;
  let height = 0;
  let stuck = 0;
  return (n, timeUs) => {
    const value = signal(n, timeUs);
    if (left === 0 && random.below(400) === 0) {
      kind = random.below(4);
      left = kind === 0 ? 1 : 1 + random.below(kind === 3 ? 600 : 40);
      height = size * random.between(2, 30) * (random.below(2) === 0 ? 1 : -1);
      stuck = value;
    }
    if (left === 0) return value;
    left--;
    return kind === 1 ? stuck : value + height;
  };
}

function walk(random: Random): Signal {
  let level = random.between(-50, 50);
  return () => {
    level += 0.1 * random.normal();
    return level;
  };
}

function sawtooth(random: Random): Signal {
  const length = 20 + random.below(300);
  let drift = 0;
  return (n) => {
    drift += 1e-4 * random.normal();
    return 10 + (n % length) / length + drift + 0.01 * random.normal();
  };
}

function counter(random: Random): Signal {
  let total = 1e6 * random.next();
  return () => {
    total = random.below(900) === 0 ? 0 : total + random.below(7) * random.next() + (random.below(300) === 0 ? 900 : 0);
    return total;
  };
}

/** Equal values most of the time; zero of either sign among them. */
function standing(random: Random): Signal {
  let value = 7;
  return () => {
    const die = random.below(120);
    if (die === 0) value = random.below(5);
    if (die === 1) value = -0;
    if (die === 2) value = 0;
    return value;
  };
}

/** Sizes around 1e300, with signs that change: differences overflow to infinity, squares always. */
function huge(random: Random): Signal {
  return () => {
    const value = 1e300 * random.normal();
    return random.below(200) === 0 ? 1e8 * value : value;
  };
}

/** Multiples of the smallest number there is, and zeros. */
function denormal(random: Random): Signal {
  return () => {
    const die = random.below(50);
    if (die === 0) return -0;
    return Number.MIN_VALUE * random.below(die === 1 ? 1e9 : 40) * (random.below(2) === 0 ? 1 : -1);
  };
}

/** A size that changes over the whole range of numbers at times. */
function anySize(random: Random): Signal {
  let size = 1;
  return () => {
    if (random.below(500) === 0) size = 10 ** (random.below(600) - 300);
    return size * (3 + random.normal());
  };
}

/** A course of the day, and of the week: weekends are small. */
function weekly(random: Random): Signal {
  const height = random.between(1, 20);
  return (_n, timeUs) => {
    const day = timeUs / DAY_US;
    const weekday = ((Math.floor(day) % 7) + 7) % 7;
    return 20 + height * (weekday === 2 || weekday === 3 ? 0.2 : 1) * wave(day) + 0.3 * random.normal();
  };
}

function steps(random: Random): Signal {
  return (_n, timeUs) => (wave(timeUs / DAY_US + 0.3) > 0.4 ? 5 : 1) + 0.05 * random.normal();
}

/** Whole numbers in bursts. */
function counts(random: Random): Signal {
  let rate = 3;
  return () => {
    if (random.below(60) === 0) rate = random.below(40);
    return Math.floor(rate * random.next() * random.next());
  };
}

/** Name, signal and size of its faults. */
export const SIGNALS: readonly (readonly [string, (random: Random) => Signal, number])[] = [
  ["walk", walk, 1],
  ["sawtooth", sawtooth, 0.3],
  ["counter", counter, 20],
  ["standing", standing, 1],
  ["huge", huge, 1e301],
  ["denormal", denormal, 1e-321],
  ["any size", anySize, 1],
  ["weekly", weekly, 2],
  ["steps", steps, 1],
  ["counts", counts, 10],
];

export function signalOf(kind: number, random: Random): Signal {
  const [, make, size] = SIGNALS[kind]!;
  return withFaults(random, make(random), size);
}
