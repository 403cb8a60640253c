import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

test("attempts become rarer, are never more than ten seconds apart, and differ", () => {
  expect([0, 1, 2, 3, 50].map((failures) => backoffMs(failures, 1))).toEqual([500, 1_000, 2_000, 4_000, 10_000]);
  expect(backoffMs(50, 0)).toBe(5_000);
});
