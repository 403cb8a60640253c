import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { SeriesKeySchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { createDetector } from "../detect/index.ts";
import { Sensors } from "./sensors.ts";
import { SeriesBook } from "./series.ts";
import { PartitionSettings } from "./settings.ts";
import { Shown } from "./shown.ts";

const keyOf = (sensorId: string) =>
  Buffer.from(toBinary(SeriesKeySchema, create(SeriesKeySchema, { sensorId, sensorType: "t", unit: "C" }))).toString(
    "latin1",
  );

const LONG = "s".repeat(3000);

test("series that no endpoint takes are refused in a record; those that a former version stored stop no partition that opens", () => {
  const sensors = new Sensors(createDetector());
  const book = new SeriesBook(sensors, new PartitionSettings(), new Shown());
  expect(() => book.meet(keyOf(""))).toThrow("a series of it names no sensor");
  expect(() => book.meet(keyOf(LONG))).toThrow("the key of a series of it has 3009 bytes");
  for (const [id, sensorId] of ["", "a", LONG].entries())
    book.known({ id, sensorId, sensorType: "t", unit: "C", location: undefined });
  book.meetStored(new Set(["", "a", LONG]));
  expect(sensors.ids).toEqual(["a", LONG]);
});
