import { expect, test } from "vitest";
import { Shares } from "./shares.ts";

/** Takes all that the caller can get. */
function fill(shares: Shares, caller: string): (() => void)[] {
  const places: (() => void)[] = [];
  for (let leave = shares.enter(caller); leave !== undefined; leave = shares.enter(caller)) places.push(leave);
  return places;
}

test("one caller takes half of the places and no more", () => {
  const shares = new Shares(1_000);
  expect(fill(shares, "hostile")).toHaveLength(500);
  expect(shares.taken).toBe(500);
});

test("whoever comes later takes half of what is left, and others find room", () => {
  const shares = new Shares(1_024);
  const taken = Array.from({ length: 8 }, (_, i) => fill(shares, `hostile ${i}`).length);
  expect(taken).toEqual([512, 256, 128, 64, 32, 16, 8, 4]);
  expect(shares.enter("honest")).toBeDefined();
});

test("callers that take by turns have equal shares", () => {
  const shares = new Shares(1_000);
  const callers = ["a", "b", "c"];
  for (let round = 0; round < 1_000; round++) for (const caller of callers) shares.enter(caller);
  for (const caller of callers) expect(shares.heldBy(caller)).toBeCloseTo(250, -1);
});

test("places come back once, and nothing of a caller stays", () => {
  const shares = new Shares(10);
  const places = fill(shares, "a");
  for (const leave of [...places, ...places]) leave();
  expect(shares.taken).toBe(0);
  expect(shares.heldBy("a")).toBe(0);
  expect(fill(shares, "a")).toHaveLength(5);
});
