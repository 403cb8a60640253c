import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { isoTime } from "./time.ts";

test("times keep their microseconds, for Redis and Kafka as for REST", () => {
  const at = (seconds: bigint, nanos: number) => isoTime(create(TimestampSchema, { seconds, nanos }));
  expect(at(1_767_225_600n, 123_456_000)).toBe("2026-01-01T00:00:00.123456Z");
  expect(at(0n, 7_000)).toBe("1970-01-01T00:00:00.000007Z");
});
