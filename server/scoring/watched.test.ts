import { fromBinary } from "@bufbuild/protobuf";
import { beforeEach, expect, test } from "vitest";
import { LiveReadingsNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import type { Interest } from "./messages.ts";
import { Rows } from "./rows.ts";
import { WatchedReadings } from "./watched.ts";

const NOTHING: Interest = { all: "nothing", sensors: [], types: [] };
const BUDGET = 100;

let now = 0;
let watched: WatchedReadings;
beforeEach(() => {
  watched = new WatchedReadings(BUDGET, () => now);
});

interface Row {
  readonly sensor: string;
  readonly type?: string;
  readonly anomaly?: boolean;
}

function commit(found: readonly Row[]) {
  const rows = new Rows(found.length);
  found.forEach(({ sensor, type = "t", anomaly = false }, slot) => {
    const series = { id: slot, slot, sensorId: sensor, sensorType: type, unit: "C", location: undefined };
    const row = rows.add(series, slot, 20, slot, 0);
    rows.points.anomaly[row] = anomaly ? 1 : 0;
  });
  const bytes = watched.of({ rows, modelVersion: "m" });
  return bytes && fromBinary(LiveReadingsNoticeSchema, bytes);
}

const times = (n: number, row: Row) => Array.from({ length: n }, () => row);
const sensorsOf = (notice: ReturnType<typeof commit>) => notice?.readings.map(({ sensorId }) => sensorId);

test("makes messages only of what somebody watches", () => {
  const rows = [
    { sensor: "a" },
    { sensor: "b", type: "u" },
    { sensor: "c", anomaly: true },
    { sensor: "d", type: "u" },
  ];
  expect(commit(rows)).toBeUndefined();
  watched.setInterest({ ...NOTHING, sensors: ["a", "z"] });
  expect(sensorsOf(commit(rows))).toEqual(["a"]);
  watched.setInterest({ ...NOTHING, sensors: ["a"], types: ["u"] });
  expect(sensorsOf(commit(rows))).toEqual(["a", "b", "d"]);
  watched.setInterest({ ...NOTHING, all: "anomalies", sensors: ["a"] });
  expect(sensorsOf(commit(rows))).toEqual(["a", "c"]);
  watched.setInterest({ ...NOTHING, all: "everything" });
  expect(sensorsOf(commit(rows))).toEqual(["a", "b", "c", "d"]);
  watched.setInterest(undefined);
  expect(commit(rows)).toBeUndefined();
});

test("past the budget, says how much was left out; the budget comes back with time", () => {
  watched.setInterest({ ...NOTHING, all: "everything" });
  const first = commit(times(BUDGET, { sensor: "a" }));
  expect(first).toMatchObject({ leftOutOfEverything: BUDGET / 2, leftOutOfSelections: 0, leftOutOfSensors: 0 });
  expect(first!.readings).toHaveLength(BUDGET / 2);
  expect(commit(times(3, { sensor: "a" }))).toMatchObject({ readings: [], leftOutOfEverything: 3 });
  now += 100;
  const later = commit(times(BUDGET, { sensor: "a" }));
  expect(later!.readings).toHaveLength(BUDGET / 10);
});

test("a watch of one sensor is served before one of a type or of anomalies, and those before one of everything", () => {
  watched.setInterest({ all: "everything", sensors: ["chosen"], types: ["u"] });
  commit(times(BUDGET, { sensor: "any" }));
  const both = commit([...times(2, { sensor: "any" }), ...times(10, { sensor: "b", type: "u" })]);
  expect(both).toMatchObject({ leftOutOfEverything: 2, leftOutOfSelections: 0 });
  const anomalous = commit(times(20, { sensor: "b", anomaly: true }));
  expect(anomalous).toMatchObject({ leftOutOfEverything: 0, leftOutOfSelections: 5 });
  const chosen = commit([{ sensor: "any" }, { sensor: "b", type: "u" }, ...times(25, { sensor: "chosen" })]);
  expect(chosen).toMatchObject({ leftOutOfEverything: 1, leftOutOfSelections: 1, leftOutOfSensors: 0 });
  expect(chosen!.readings).toHaveLength(25);
  expect(commit(times(2, { sensor: "chosen" }))).toMatchObject({ readings: [], leftOutOfSensors: 2 });
});
