import { expect, it } from "vitest";
import { deadlineUs } from "./due.ts";

const RULE = { intervalMs: 60_000, graceMs: 10_000 };
const S = 1_000_000;
const deadline = (signs: { lastS?: number; isMissing?: boolean }, watchedS = 0) =>
  deadlineUs(
    {
      sinceUs: 0,
      lastUs: signs.lastS === undefined ? undefined : signs.lastS * S,
      isMissing: signs.isMissing ?? false,
    },
    RULE,
    watchedS * S,
  ) / S;

it("a program is missing an interval and its grace after its last sign, or after it was first expected", () => {
  expect(deadline({ lastS: 100 })).toBe(170);
  expect(deadline({})).toBe(70);
});

it("what was due while nobody was there is waited for anew, and what was not is not", () => {
  // Due at 160, and there again at 200.
  expect(deadline({ lastS: 100 }, 200)).toBe(270);
  expect(deadline({ lastS: 100 }, 160)).toBe(170);
  expect(deadline({ lastS: 100 }, 120)).toBe(170);
});

it("who was missing before stays so, whoever was away meanwhile", () => {
  expect(deadline({ lastS: 100, isMissing: true }, 500)).toBe(170);
});
