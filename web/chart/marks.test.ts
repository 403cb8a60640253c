import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { AlertSchema } from "../../gen/web/telltale/v1/alert_pb.ts";
import { MaintenanceWindowSchema } from "../../gen/web/telltale/v1/detector_pb.ts";
import { marksOf, markText } from "./marks.ts";

const of = { sensorId: "pump-1", location: "hall 1" };
const span = { from: 1_000, to: 2_000 };
const window = (about: { sensorId?: string; location?: string }, from: number, to: number) =>
  create(MaintenanceWindowSchema, { ...about, startTime: timestampFromMs(from), endTime: timestampFromMs(to) });

test("a chart has the windows of its sensor, of its location and of all sensors, where they touch what it shows", () => {
  const windows = [
    window({ sensorId: "pump-1" }, 1_500, 3_000),
    window({ sensorId: "pump-2" }, 1_500, 3_000),
    window({ location: "hall 1" }, 500, 1_001),
    window({ location: "hall 2" }, 500, 1_001),
    window({}, 1_200, 1_300),
    window({}, 2_000, 2_100),
    window({}, 0, 1_000),
  ];
  expect(marksOf(windows, [], of, span).map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["maintenance", 500, 1_001],
    ["maintenance", 1_200, 1_300],
    ["maintenance", 1_500, 3_000],
  ]);
});

test("a chart has the labels of its alerts, and says why they were given", () => {
  const alert = (labelCorrect: boolean | undefined, labelComment = "") =>
    create(AlertSchema, {
      openedAt: timestampFromMs(1_000),
      lastSeenAt: timestampFromMs(1_000),
      labelComment,
      ...(labelCorrect === undefined ? {} : { labelCorrect }),
    });
  const marks = marksOf([], [alert(true), alert(undefined), alert(false, "cleaning")], of, span);
  expect(marks.map((mark) => markText(mark, "UTC"))).toEqual([
    "Labelled right: 1970-01-01 00:00:01",
    "Labelled wrong: 1970-01-01 00:00:01, cleaning",
  ]);
});
