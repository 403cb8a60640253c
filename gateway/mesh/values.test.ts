import { expect, test } from "vitest";
import { fromStruct, fromTimestamp, parseTime, toStruct } from "./values.ts";

test("times are written with six decimals in UTC, also before 1970", () => {
  expect(fromTimestamp({ seconds: 1767225600, nanos: 123_456_789 })).toBe("2026-01-01T00:00:00.123456Z");
  expect(fromTimestamp({ seconds: -1, nanos: 500_000_000 })).toBe("1969-12-31T23:59:59.500000Z");
});

test.each([
  ["2026-01-01T00:00:00Z", 1767225600, 0],
  ["2026-01-01T01:00:00+01:00", 1767225600, 0],
  ["2025-12-31T19:00:00.000001-0500", 1767225600, 1000],
  ["2026-01-01 00:00", 1767225600, 0],
  ["2026-01-01", 1767225600, 0],
])("%s is read, without an offset as UTC", (text, seconds, nanos) => {
  expect(parseTime(text)).toEqual({ seconds, nanos });
});

test.each([
  "",
  "soon",
  "2026-02-29T00:00:00Z",
  "2026-13-01",
  "2026-01-01T24:00:00Z",
  "2026-01-01T00:00:00+25:00",
  "1767225600",
])("%s is no time", (text) => expect(parseTime(text)).toBeUndefined());

test("a free object survives the way to protobuf and back", () => {
  const object = { a: [1, "x", null, { b: false }], c: {} };
  expect(JSON.parse(JSON.stringify(fromStruct(toStruct(object))))).toEqual(object);
});
