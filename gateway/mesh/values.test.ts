import { expect, test } from "vitest";
import { fromStruct, fromTimestamp, toStruct } from "./values.ts";

test("times are written with six decimals in UTC, also before 1970", () => {
  expect(fromTimestamp({ seconds: 1767225600, nanos: 123_456_789 })).toBe("2026-01-01T00:00:00.123456Z");
  expect(fromTimestamp({ seconds: -1, nanos: 500_000_000 })).toBe("1969-12-31T23:59:59.500000Z");
});

test("a free object survives the way to protobuf and back", () => {
  const object = { a: [1, "x", null, { b: false }], c: {} };
  expect(JSON.parse(JSON.stringify(fromStruct(toStruct(object))))).toEqual(object);
});
