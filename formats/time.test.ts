import { expect, test } from "vitest";
import { instantText, parseEpoch, parseInstant, parseIso, readTime } from "./time.ts";

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

test.each([
  ["2026-01-01T00:00:00Z", 1767225600, 0],
  ["2026-01-01T01:00:00+01:00", 1767225600, 0],
  ["2025-12-31T19:00:00.000001-0500", 1767225600, 1000],
  ["2026-01-01 00:00", 1767225600, 0],
  ["2026-01-01", 1767225600, 0],
])("%s is read, without an offset as UTC", (text, seconds, nanos) => {
  expect(parseIso(text)).toMatchObject({ seconds, nanos });
});

test.each([
  "",
  "soon",
  "2026-02-29T00:00:00Z",
  "2026-13-01",
  "2026-01-01T24:00:00Z",
  "2026-01-01T00:00:00+25:00",
  "1767225600",
])("%s is no time", (text) => expect(parseIso(text)).toBeUndefined());

test.each([
  ["2027", /write 2027-01-01 for the year/],
  ["20270131", /write 2027-01-31 for the day/],
  ["0", /only from 1990 to 2100/],
  ["86400", /only from 1990 to 2100/],
  ["2026-02-30", /is no time/],
  ["soon", /write ISO 8601/],
  ["01/02/2026", /write ISO 8601/],
  ["", /write ISO 8601/],
])("%j is refused with a hint", (text, hint) => expect(() => readTime(text)).toThrow(hint));

test.each([
  ["2027-01-01", 1_798_761_600e6],
  ["2027-01-01T00:00:00.000001Z", 1_798_761_600e6 + 1],
  ["1798761600", 1_798_761_600e6],
  ["1798761600.000001", 1_798_761_600e6 + 1],
  ["1798761600000", 1_798_761_600e6],
  ["1798761600000001", 1_798_761_600e6 + 1],
  ["1798761600000001999", 1_798_761_600e6 + 1],
])("%s is read to the microsecond", (text, us) => expect(readTime(text)).toBe(us));

test("a count since 1970 is exact in every unit", () => {
  expect(parseEpoch("1700000000.123456789", "s")).toBe(1_700_000_000_123_456);
  expect(parseEpoch("1700000000123.4567", "ms")).toBe(1_700_000_000_123_456);
  expect(parseEpoch("-1.5", "s")).toBe(-1_500_000);
  expect(parseEpoch("12", "ns")).toBe(0);
  expect(parseEpoch("1.7e9", "s")).toBeNaN();
});
