import fc from "fast-check";
import { expect, test } from "vitest";
import { pointColumns } from "../../testing/points.ts";
import { decodeBlock, encodeBlock, maxBlockBytes } from "./block.ts";
import { createPoints, type Points } from "./points.ts";

const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -40_000, max: 40_000 }).map((n) => n / 100),
  fc.integer({ min: -3e9, max: 3e9 }).map((n) => n / 10_000),
  fc.constantFrom(0, -0, 21.5, 1e300, 5e-324, 2147483647, -2147483648, 21474836.47),
);
const point = fc.record({
  step: fc.oneof(fc.constant(1_000_000), fc.integer({ min: 1, max: 1e14 })),
  idStep: fc.oneof(fc.constant(128), fc.integer({ min: 128, max: 1e12 })),
  value,
  confidence: fc.nat(10_000),
  anomaly: fc.boolean(),
  score: fc.nat(10_000),
  reason: fc.nat(255),
  mark: fc.nat(3),
  expected: fc.float({ noDefaultInfinity: true }),
  band: fc.float({ noDefaultInfinity: true }),
});

function toPoints(list: readonly (typeof point extends fc.Arbitrary<infer T> ? T : never)[], regular: boolean): Points {
  const points = createPoints(list.length);
  let time = 1.7e15;
  let id = 5e12;
  for (const x of list) {
    const i = points.length++;
    points.timeUs[i] = time += regular ? 1_000_000 : x.step;
    points.id[i] = id += regular ? 128 : x.idStep;
    points.value[i] = x.value;
    points.confidence[i] = x.confidence;
    points.anomaly[i] = x.anomaly ? 1 : 0;
    points.score[i] = x.anomaly ? x.score : 0;
    points.reason[i] = x.anomaly ? x.reason : 0;
    points.mark[i] = x.mark;
    points.expected[i] = x.expected;
    points.band[i] = x.band;
  }
  return points;
}

test("a block gives back every point to the bit, whatever the values, steps and marks", () => {
  fc.assert(
    fc.property(fc.array(point, { minLength: 1, maxLength: 60 }), fc.boolean(), (list, regular) => {
      const points = toPoints(list, regular);
      const buffer = Buffer.alloc(maxBlockBytes(points.length) + 3);
      const end = encodeBlock(points, 0, points.length, buffer, 3);
      const back = createPoints(points.length);
      decodeBlock(buffer.subarray(3, end), points.timeUs[0]!, points.id[0]!, back);
      for (const name of pointColumns) {
        expect(Array.from(back[name]), name).toEqual(Array.from(points[name]));
      }
    }),
    { numRuns: 500 },
  );
});

test("a regular series of readings with two decimals takes at most 13 bytes a point", () => {
  const points = createPoints(1000);
  for (let i = 0; i < 1000; i++) {
    points.timeUs[i] = 1.7e15 + i * 1e6;
    points.id[i] = 5e12 + i * 128;
    points.value[i] = Math.round(2150 + 300 * Math.sin(i / 50)) / 100;
    points.expected[i] = 21.5;
    points.band[i] = 0.5;
  }
  points.length = 1000;
  const buffer = Buffer.alloc(maxBlockBytes(1000));
  expect(encodeBlock(points, 0, 1000, buffer, 0) / 1000).toBeLessThan(13);
});

test("bytes of another layout are refused by name", () => {
  expect(() => decodeBlock(Uint8Array.of(9, 0, 1, 0), 0, 0, createPoints(1))).toThrow("layout 9");
});
