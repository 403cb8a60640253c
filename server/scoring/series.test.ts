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

test("a series that goes and comes again while records are read again keeps its number, and one that is deleted for good does not", () => {
  const sensors = new Sensors(createDetector());
  const book = new SeriesBook(sensors, new PartitionSettings(), new Shown());
  book.known({ id: 7, sensorId: "a", sensorType: "t", unit: "C", location: undefined });
  const deleteSensor = (offset: number, live: boolean) => {
    const slot = sensors.remove("a", { offset, tick: 0 })!;
    book.forget(slot, live);
  };
  expect(book.meet(keyOf("a")).id).toBe(7);
  deleteSensor(1, false);
  expect(book.meet(keyOf("a")).id).toBe(7);
  deleteSensor(2, true);
  expect(book.meet(keyOf("a")).id).toBe(-1);
});

test("a series of the store is met once, however its key is spelt in the log", () => {
  const sensors = new Sensors(createDetector());
  const book = new SeriesBook(sensors, new PartitionSettings(), new Shown());
  book.known({ id: 7, sensorId: "a", sensorType: "t", unit: "C", location: undefined });
  const unitFirst = keyOf("a").replace(/^(.{3}.{3})(.{3})$/s, "$2$1");
  expect(unitFirst).not.toBe(keyOf("a"));
  expect(book.meet(unitFirst)).toMatchObject({ id: 7, sensorId: "a", sensorType: "t", unit: "C" });
  book.meetStored(new Set(["a"]));
  expect(book.ofSlot(0)).toHaveLength(1);
});
