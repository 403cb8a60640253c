import fc from "fast-check";
import { expect, test } from "vitest";
import { anyPoints, noisyPoints, pointColumns } from "../../testing/points.ts";
import { decodeBlock } from "./block.ts";
import { encodeCold, maxColdBytes } from "./cold.ts";
import { createPoints, decimalsOf, type Points } from "./points.ts";

function encoded(points: Points, from = 0, to = points.length): Buffer {
  const buffer = Buffer.alloc(maxColdBytes(to - from) + 3);
  const end = encodeCold(points, from, to, decimalsOf(points.value, from, to), buffer, 3);
  return buffer.subarray(3, end);
}

test("a cold block gives back every point to the bit, whatever the values, steps and marks", () => {
  fc.assert(
    fc.property(anyPoints, (points) => {
      const back = createPoints(points.length);
      decodeBlock(encoded(points), points.timeUs[0]!, points.id[0]!, back);
      for (const name of pointColumns) expect(Array.from(back[name]), name).toEqual(Array.from(points[name]));
    }),
    { numRuns: 1000 },
  );
});

test("a full cold block of noise with score, band and reason takes at most 14 bytes a reading", () => {
  const regular = encoded(noisyPoints(1024, 1)).length / 1024;
  const jittered = encoded(noisyPoints(1024, 1, 1.7e15, 2000)).length / 1024;
  expect(regular).toBeLessThan(12);
  expect(jittered).toBeLessThan(14);
});

test("a cold block that was cut short is refused", () => {
  const points = noisyPoints(100, 3);
  const bytes = encoded(points);
  for (let length = 4; length < bytes.length; length += 7) {
    expect(() => decodeBlock(bytes.subarray(0, length), 0, 0, createPoints(100))).toThrow(RangeError);
  }
});
