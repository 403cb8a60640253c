import { afterEach, describe, expect, test } from "vitest";
import { type Reading, SortedReadings } from "./sorted.ts";

/** Readings in memory at once: a dozen pieces go to disk. */
const PIECE = 100;
const COUNT = 1_234;

let sorted: SortedReadings;
afterEach(() => sorted.dispose());

async function fill(times: readonly number[]): Promise<Reading[]> {
  sorted = new SortedReadings(PIECE);
  const all = times.map((timeUs, i) => ({ timeUs, value: i / 7, series: i % 3, line: i + 2 }));
  for (const { timeUs, value, series, line } of all) await sorted.add(timeUs, value, series, line);
  return all;
}

const walk = () => Array.fromAsync(sorted);
const places = Array.from({ length: COUNT }, (_, i) => i);

describe("readings of a file", () => {
  test.each([
    ["in the order of time", places.map((i) => 1e15 + i), true],
    ["in the order of time, several at each", places.map((i) => 1e15 + Math.floor(i / 250)), true],
    ["newest first", places.map((i) => 1e15 - i), false],
    ["in order but for the last", places.map((i) => (i === COUNT - 1 ? 5 : 1e15 + i)), false],
    ["in order within each piece only", places.map((i) => 1e15 + (i % PIECE)), false],
    ["in no order", places.map((i) => 1e15 + ((i * 7919) % 500)), false],
  ])(
    "%s come in that of time, those of equal time in that of the file, each time they are walked",
    async (_, times, inOrder) => {
      const all = await fill(times);
      const wanted = all.toSorted((a, b) => a.timeUs - b.timeUs);
      expect(await walk()).toEqual(wanted);
      expect(await walk()).toEqual(wanted);
      expect([sorted.inOrder, sorted.count]).toEqual([inOrder, COUNT]);
      expect([sorted.firstUs, sorted.lastUs]).toEqual([wanted[0]!.timeUs, wanted.at(-1)!.timeUs]);
    },
  );

  test.each([0, 1, PIECE, PIECE + 1])("%i are all there, also where the walk is left at once", async (count) => {
    const all = await fill(Array.from({ length: count }, (_, i) => i));
    for await (const _ of sorted) break;
    expect(await walk()).toEqual(all);
  });
});
