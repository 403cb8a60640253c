import fc from "fast-check";
import { expect, test } from "vitest";
import { REORDER_US, Sequence } from "./sequence.ts";

test("numbers that rise by one and begin again at 0 miss nothing", () => {
  const sequence = new Sequence(250);
  for (let i = 251; i < 251 + 600; i++) sequence.take(i % 256, i);
  expect(sequence.isBroken(1e12)).toBe(false);
});

test("a missing message breaks it after the reorder time-out, and once", () => {
  const sequence = new Sequence(0);
  sequence.take(1, 0);
  sequence.take(3, 1_000);
  sequence.take(4, 2_000);
  expect(sequence.isBroken(1_000 + REORDER_US - 1)).toBe(false);
  expect(sequence.isBroken(1_000 + REORDER_US)).toBe(true);
  expect(sequence.isBroken(1e12)).toBe(false);
  sequence.take(5, 3_000);
  expect(sequence.isBroken(1e12)).toBe(false);
});

test("a message that was only overtaken breaks nothing, also over the wrap", () => {
  const sequence = new Sequence(253);
  for (const seq of [255, 0, 254, 2, 1]) sequence.take(seq, 0);
  expect(sequence.isBroken(1e12)).toBe(false);
});

test("in whatever order up to a hundred messages come, none is missing in the end", () => {
  const seq = fc.integer({ min: 0, max: 255 });
  const order = fc.shuffledSubarray(
    Array.from({ length: 100 }, (_, i) => i),
    { minLength: 100 },
  );
  fc.assert(
    fc.property(seq, order, (birth, ahead) => {
      const sequence = new Sequence(birth);
      for (const each of ahead) sequence.take((birth + 1 + each) % 256, 0);
      expect(sequence.isBroken(1e12)).toBe(false);
    }),
  );
});
