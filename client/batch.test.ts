import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, test } from "vitest";
import { StreamReadingsRequestSchema } from "../gen/es/telltale/v1/ingest_pb.ts";
import { BatchBuilder, readingAt, readingsIn } from "./batch.ts";
import type { DeviceReading } from "./types.ts";

const readings = fc.array(
  fc.record(
    {
      sensorId: fc.constantFrom("a", "b", "c"),
      sensorType: fc.constantFrom("temperature", "pressure"),
      unit: fc.constantFrom("C", "bar"),
      value: fc.double({ noNaN: true }),
      observedAtUs: fc.oneof(fc.integer({ min: 0, max: 1e6 }), fc.integer({ min: 0, max: 4e15 })),
      location: fc.constantFrom("hall", "roof"),
      metadata: fc.constantFrom({ batch: "7" }),
      attributes: fc.constantFrom({ line: "1" }, { line: "2", machine: "press" }),
    },
    { requiredKeys: ["sensorId", "sensorType", "unit", "value"] },
  ),
  { maxLength: 60 },
) as fc.Arbitrary<DeviceReading[]>;

test("batches hold every reading unchanged, and those of a sensor in the order in which they were given", () => {
  fc.assert(
    fc.property(readings, fc.integer({ min: 1, max: 20 }), (given, size) => {
      const out: DeviceReading[] = [];
      const builder = new BatchBuilder(size);
      const seal = () => {
        const request = create(StreamReadingsRequestSchema, builder.take());
        expect(readingsIn(request)).toBeLessThanOrEqual(size);
        for (let index = 0; index < readingsIn(request); index++) out.push(readingAt(request, index));
      };
      for (const reading of given) {
        if (builder.add(reading)) continue;
        seal();
        expect(builder.add(reading)).toBe(true);
      }
      seal();
      for (const sensor of ["a", "b", "c"]) {
        const of = ({ sensorId }: DeviceReading) => sensorId === sensor;
        expect(out.filter(of)).toEqual(given.filter(of));
      }
    }),
  );
});
