import { describe, expect, it } from "vitest";
import { snappyCompress } from "../../../../testing/remote-write.ts";
import { TelltaleError } from "../../../errors.ts";
import { HttpRefusal } from "../../protocol.ts";
import { uncompress } from "./snappy.ts";

const LIMIT = 1_000_000;

/** The same numbers for the same seed. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("snappy's block format", () => {
  const seed = Date.now() >>> 0;

  it(`gives back what a compressor of another project made (seed ${seed})`, () => {
    const next = random(seed);
    for (let round = 0; round < 300; round++) {
      // Few different bytes: copies of every length and distance.
      const kinds = 1 + Math.floor(next() * 8);
      const bytes = Uint8Array.from({ length: Math.floor(next() * 5_000) }, () => Math.floor(next() * kinds));
      expect(Buffer.compare(uncompress(snappyCompress(bytes), LIMIT), bytes)).toBe(0);
    }
  });

  it.each([
    [
      "a literal of 61 bytes, whose length has a byte of its own",
      [61, 60 << 2, 60, ...Array(61).fill(7)],
      Array(61).fill(7),
    ],
    ["a copy that overlaps with what it makes", [6, 0 << 2, 9, 1 | (1 << 2), 1], [9, 9, 9, 9, 9, 9]],
    ["a copy with an offset of two bytes", [5, 3 << 2, 1, 2, 3, 4, 2 | (0 << 2), 3, 0], [1, 2, 3, 4, 2]],
    ["a copy with an offset of four bytes", [5, 3 << 2, 1, 2, 3, 4, 3 | (0 << 2), 3, 0, 0, 0], [1, 2, 3, 4, 2]],
    ["nothing", [0], []],
  ])("reads %s", (_, packed, bytes) => {
    expect([...uncompress(Uint8Array.from(packed), LIMIT)]).toEqual(bytes);
  });

  it.each([
    ["no length", []],
    ["a length that does not end", [255, 255, 255, 255, 255, 255]],
    ["less than it says", [5, 0, 1]],
    ["more than it says", [1, 1 << 2, 1, 2]],
    ["a literal that is cut short", [5, 4 << 2, 1]],
    ["a copy from before the beginning", [8, 0, 1, 1, 2]],
    ["a copy from nowhere", [8, 0, 1, 1, 0]],
    ["a copy without its offset", [8, 0, 1, 2, 1]],
    ["a copy past the end", [3, 0, 9, 2 | (9 << 2), 1, 0]],
  ])("refuses %s", (_, packed) => {
    expect(() => uncompress(Uint8Array.from(packed), LIMIT)).toThrow(TelltaleError);
  });

  it("refuses what would be too large before it unpacks anything", () => {
    const bomb = snappyCompress(new Uint8Array(LIMIT + 1));
    expect(bomb.length).toBeLessThan(60_000);
    expect(() => uncompress(bomb, LIMIT)).toThrow(HttpRefusal);
    expect(uncompress(snappyCompress(new Uint8Array(LIMIT)), LIMIT)).toHaveLength(LIMIT);
  });

  it(`ends with an answer whatever it is given (seed ${seed})`, () => {
    const next = random(seed);
    for (let round = 0; round < 2_000; round++) {
      const bytes = snappyCompress(Uint8Array.from({ length: 200 }, () => Math.floor(next() * 4)));
      for (let n = 0; n < 3; n++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256);
      try {
        expect(uncompress(bytes, LIMIT).length).toBeLessThanOrEqual(LIMIT);
      } catch (error) {
        expect(error).toBeInstanceOf(TelltaleError);
      }
    }
  });
});
