import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SeriesKeySchema } from "../../../gen/es/telltale/v1/log_pb.ts";
import { decodeSeriesKey, encodeSeriesKey } from "./series-key.ts";

const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: "binary", maxLength: 60 }), fc.constant(""));
const fields = fc.record({
  ...{ sensorId: text, sensorType: text, unit: text },
  location: fc.option(text, { nil: undefined }),
});
const latin1 = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

test("a key is what the generated code writes, and is read as it was", () => {
  fc.assert(
    fc.property(fields, (of) => {
      const { location, ...others } = of;
      const message = create(SeriesKeySchema, location === undefined ? others : { ...others, location });
      const key = encodeSeriesKey(of);
      expect(key).toBe(latin1(toBinary(SeriesKeySchema, message)));
      expect(decodeSeriesKey(key)).toEqual(of);
    }),
    { numRuns: 500 },
  );
});

test("whatever the bytes are, they are read as the generated code reads them, or refused as it refuses them", () => {
  const byte = fc.oneof(fc.constantFrom(0x0a, 0x12, 0x1a, 0x22, 0, 1, 2, 3), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 24 }), (bytes) => {
      const wanted = attempt(() => {
        const { sensorId, sensorType, unit, location } = fromBinary(SeriesKeySchema, Uint8Array.from(bytes));
        return { sensorId, sensorType, unit, location };
      });
      expect(attempt(() => decodeSeriesKey(latin1(Uint8Array.from(bytes))))).toEqual(wanted);
    }),
    { numRuns: 2000 },
  );
});

function attempt<T>(of: () => T): T | "refused" {
  try {
    return of();
  } catch {
    return "refused";
  }
}
