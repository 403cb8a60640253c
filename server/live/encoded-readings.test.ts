import { create, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { LiveReadingsNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import { EncodedReadings, piecesOf } from "./encoded-readings.ts";

const NOTHING = { ofSensors: 0, ofSelections: 0, ofEverything: 0 };

function encoded(count: number, leftOutOfSelections = 0): Uint8Array {
  const readings = Array.from({ length: count }, (_, i) => ({ id: BigInt(i), sensorId: "a", value: i, unit: "C" }));
  return toBinary(LiveReadingsNoticeSchema, create(LiveReadingsNoticeSchema, { readings, leftOutOfSelections }));
}

test.each([0, 1, 999, 1_000, 1_001, 100_000])("a commit of %i readings comes back in pieces of a thousand", (count) => {
  const pieces = [...piecesOf(encoded(count))];
  expect(pieces).toHaveLength(Math.ceil(count / 1_000));
  const ids = pieces.flatMap(({ readings }) => readings.map(({ id }) => Number(id)));
  expect(ids).toEqual(Array.from({ length: count }, (_, i) => i));
  expect(pieces.map(({ leftOut }) => leftOut)).toEqual(pieces.map(() => NOTHING));
});

test.each([0, 1, 1_000, 1_001])("what was left out beside %i readings stands with the last of them", (count) => {
  const pieces = [...piecesOf(encoded(count, 7))];
  expect(pieces).toHaveLength(Math.max(1, Math.ceil(count / 1_000)));
  expect(pieces.flatMap(({ readings }) => readings)).toHaveLength(count);
  expect(pieces.at(-1)!.leftOut).toEqual({ ...NOTHING, ofSelections: 7 });
});

test("the readings of one sensor come in their order", () => {
  const readings = [1, 2, 3, 4, 5].map((id) => ({ id: BigInt(id), sensorId: id % 2 === 0 ? "even" : "odd" }));
  const piece = new EncodedReadings(toBinary(LiveReadingsNoticeSchema, create(LiveReadingsNoticeSchema, { readings })));
  expect(piece.of("odd").map(({ id }) => Number(id))).toEqual([1, 3, 5]);
  expect(piece.of("even").map(({ id }) => Number(id))).toEqual([2, 4]);
  expect(piece.of("none")).toEqual([]);
});

test("watchers at the same place share what was decoded", () => {
  const one = new EncodedReadings(encoded(3));
  expect(one.readings).toBe(one.readings);
});
