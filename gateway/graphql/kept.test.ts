import { expect, test } from "vitest";
import { KeptByText } from "./kept.ts";

test("all texts together stay within the bytes, whatever their number and size", () => {
  const kept = new KeptByText<number>(100_000);
  for (let i = 0; i < 5_000; i++) {
    kept.set(`${i} ${"é".repeat(i % 2_000)}`, i);
    expect(kept.bytes).toBeLessThanOrEqual(100_000);
  }
  expect(kept.get(`4999 ${"é".repeat(999)}`)).toBe(4_999);
  expect(kept.get("0 ")).toBeUndefined();
});

test("what was used last is forgotten last", () => {
  const kept = new KeptByText<string>(3 * 612);
  for (const name of ["a", "b", "c"]) kept.set(name.repeat(100), name);
  expect(kept.get("a".repeat(100))).toBe("a");
  kept.set("d".repeat(100), "d");
  expect(kept.get("b".repeat(100))).toBeUndefined();
  expect(kept.get("a".repeat(100))).toBe("a");
});

test("a text that is kept again counts once, and one larger than all room is not kept", () => {
  const kept = new KeptByText<number>(2_000);
  for (let i = 0; i < 10; i++) kept.set("same", i);
  expect(kept.bytes).toBe(516);
  expect(kept.get("same")).toBe(9);
  kept.set("x".repeat(3_000), 1);
  expect(kept.bytes).toBe(0);
  kept.set("same", 1);
  kept.clear();
  expect(kept.bytes).toBe(0);
  expect(kept.get("same")).toBeUndefined();
});
