import { expect, test } from "vitest";
import { FencedError } from "./store.ts";

test("what has become of a partition is told by where it is found", () => {
  const told = (found: number) => new FencedError(3, 10, found).message;
  expect(told(12)).toBe("partition 3 is at offset 12, not 10: another process owns it now");
  expect(told(7)).toContain("partition 3 is at offset 7, not 10: the database has lost its last commits");
  expect(told(10)).toContain("its saved state was replaced");
  expect(told(-1)).toContain("does not have the partition");
});
