import { expect, test } from "vitest";
import { instantText, parseInstant } from "./time.ts";

test("times of Python, PostgreSQL and JavaScript keep every microsecond", () => {
  const wanted = Date.UTC(2026, 10, 22, 20, 34, 41) * 1000 + 523_456;
  for (const text of [
    "2026-11-22T20:34:41.523456+00:00",
    "2026-11-22T20:34:41.523456Z",
    "2026-11-22 20:34:41.523456",
    "2026-11-22 20:34:41.523456+00",
    "2026-11-23T02:04:41.523456+05:30",
    "2026-11-22T17:34:41.5234569-0300",
  ]) {
    expect(parseInstant(text), text).toBe(wanted);
  }
  expect(instantText(wanted)).toBe("2026-11-22T20:34:41.523456Z");
});

test("what is no time is not taken for one", () => {
  for (const text of [
    "",
    "yesterday",
    "1700000000",
    "2026-02-30T00:00:00Z",
    "2026-11-22",
    "infinity",
    "2026-11-22T25:00",
  ]) {
    expect(parseInstant(text), text).toBeNaN();
  }
});
