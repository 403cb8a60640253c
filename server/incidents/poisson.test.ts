import { expect, test } from "vitest";
import { poissonTail } from "./poisson.ts";

test("the upper tail is that of the tables, and keeps its digits where it is small", () => {
  expect(poissonTail(1, 0.5)).toBeCloseTo(1 - Math.exp(-0.5), 14);
  expect(poissonTail(3, 1)).toBeCloseTo(1 - 2.5 / Math.E, 14);
  expect(poissonTail(20, 10)).toBeCloseTo(0.003454, 6);
  // e^-0.1 · 0.1^10 / 10! · (1 + 0.1/11 + 0.01/132 + …)
  expect(poissonTail(10, 0.1) / 2.5163e-17).toBeCloseTo(1, 4);
  expect(poissonTail(400, 0.001)).toBe(0);
});
