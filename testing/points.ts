import fc from "fast-check";
import { createPoints, type Points } from "../server/store/points.ts";

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.float({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -40_000, max: 40_000 }).map((n) => n / 100),
  fc.integer({ min: -3e9, max: 3e9 }).map((n) => n / 10_000),
  fc.constantFrom(0, -0, 21.5, 1e300, 5e-324, 2.2250738585072014e-308, 2147483647, -2147483648, 21474836.47),
);
const float = fc.oneof(fc.float({ noDefaultInfinity: true }), fc.constantFrom(Number.NaN, 0.5, 21.5));

const drawn = fc.record({
  step: fc.oneof(fc.integer({ min: 999_000, max: 1_001_000 }), fc.integer({ min: 1, max: 1e14 })),
  idStep: fc.oneof(fc.constant(128), fc.integer({ min: -1e9, max: 1e12 })),
  value,
  confidence: fc.nat(10_000),
  anomaly: fc.boolean(),
  score: fc.nat(10_000),
  reason: fc.nat(11),
  mark: fc.nat(3),
  expected: float,
  band: float,
});

export const pointColumns = [
  "timeUs",
  "id",
  "value",
  "confidence",
  "score",
  "reason",
  "anomaly",
  "mark",
  "expected",
  "band",
] as const;

/** Points of one series, any that a block can hold: regular or not, with decimals or arbitrary doubles. */
export const anyPoints: fc.Arbitrary<Points> = fc
  .tuple(
    fc.array(drawn, { minLength: 1, maxLength: 80 }),
    fc.record({ regular: fc.boolean(), decimals: fc.boolean(), plain: fc.boolean(), partition: fc.boolean() }),
  )
  .map(([list, { regular, decimals, plain, partition }]) => {
    const points = createPoints(list.length);
    let time = 1.7e15;
    let id = 5e13;
    for (const x of list) {
      const i = points.length++;
      time += regular ? 1_000_000 : x.step;
      id += partition ? Math.max(1, Math.round(x.idStep / 128)) * 128 : x.idStep;
      points.timeUs[i] = time;
      points.id[i] = id;
      points.value[i] = decimals ? x.confidence / 100 - 50 : x.value;
      points.confidence[i] = x.confidence;
      points.anomaly[i] = x.anomaly ? 1 : 0;
      points.score[i] = x.anomaly ? x.score : 0;
      points.reason[i] = x.anomaly ? x.reason : 0;
      points.mark[i] = plain ? 0 : x.mark;
      points.expected[i] = plain ? Number.NaN : x.expected;
      points.band[i] = plain ? Number.NaN : x.band;
    }
    return points;
  });

/** A repeatable source of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return s / 4294967296;
  };
}

/** Readings as sensors give them: noise around a slow wave, two decimals, arrival in batches, everything that scoring adds. */
export function noisyPoints(n: number, seed: number, firstUs = 1.7e15, jitterUs = 0): Points {
  const random = seeded(seed);
  const points = createPoints(n);
  points.length = n;
  let id = 5e13;
  for (let i = 0; i < n; i++) {
    const noise = random() + random() + random() - 1.5;
    points.timeUs[i] = firstUs + i * 1e6 + Math.floor(random() * jitterUs);
    points.id[i] = id += i % 100 === 0 ? 128 * Math.floor(1e6 * random() + 12_500_000) : 128;
    points.expected[i] = 21.5 + 3 * Math.sin(i / 5000) + 0.1 * noise;
    points.band[i] = 1.2 + 0.001 * random();
    points.value[i] = Math.round(100 * (points.expected[i]! + noise)) / 100;
    points.confidence[i] = Math.floor(random() * 10_000);
    points.anomaly[i] = i % 997 === 996 ? 1 : 0;
    points.score[i] = points.anomaly[i]! * 4321;
    points.reason[i] = points.anomaly[i]! * 2;
  }
  return points;
}
