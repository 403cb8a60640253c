import { fromBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { PayloadSchema } from "../../../../../gen/es/sparkplug/v1/payload_pb.ts";
import { isBad, numberOfMetric, unitOf } from "./metric.ts";

/** As Eclipse Tahu's own encoder wrote it (npm sparkplug-payload 1.0.3). */
const TAHU = Buffer.from(
  "CIDQlf+8MRIMCgJpOCABUPv///8PEg0KA2kxNiACUNT9//8PEg0KA2kzMiADUJDd+/8PEhIKA2k2NCAEWICc6K/t/////wESDQoDdTMyIAdYgNCs8w4SNAoBZBAHIApKIgoHZW5nVW5pdAoHUXVhbGl0eRIHCAxCA2JhchIFCAMYwAFpAAAAAAAA9D8SCgoBZiAJZQAAAD8SBwoBYiALcAESCAoBcyAMegF4EgcKAW4gCjgBGAM=",
  "base64",
);

test("a payload of Eclipse Tahu is read as it was meant", () => {
  const { timestamp, seq, metrics } = fromBinary(PayloadSchema, TAHU);
  expect({ timestamp, seq }).toEqual({ timestamp: 1_700_000_000_000n, seq: 3n });
  const values = metrics.map((metric) => [metric.name, numberOfMetric(metric, metric.datatype ?? 0)]);
  expect(Object.fromEntries(values)).toEqual({
    ...{ i8: -5, i16: -300, i32: -70_000, i64: -5_000_000_000, u32: 4_000_000_000, d: 1.25, f: 0.5, b: 1 },
    ...{ s: undefined, n: undefined },
  });
  const double = metrics.find(({ name }) => name === "d")!;
  expect({ alias: double.alias, unit: unitOf(double), bad: isBad(double) }).toEqual({
    alias: 7n,
    unit: "bar",
    bad: false,
  });
});
