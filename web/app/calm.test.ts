import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { type Alert, AlertSchema } from "../../gen/web/telltale/v1/alert_pb.ts";
import { DetectorConfigSchema, Direction } from "../../gen/web/telltale/v1/detector_pb.ts";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import { candidatesOf } from "./calm.ts";

const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const alert = (more: object = {}): Alert =>
  create(AlertSchema, {
    ...{ openedAt: at(0), closedAt: at(100), severity: Severity.MEDIUM, detector: "forecaster" },
    ...{ sensorValue: 5, expected: 3, ...more },
  });
const changes = (alerts: Alert[], config = {}) =>
  candidatesOf(alerts, create(DetectorConfigSchema, config)).map((each) => each.changes);

test("excursions on one side that were mild may not matter; a smaller budget is tried in any case", () => {
  expect(changes([alert(), alert(), alert()])).toEqual([
    { direction: String(Direction.LOW) },
    { alarms_per_sensor_day: "0.02" },
  ]);
  expect(changes([alert(), alert({ severity: Severity.CRITICAL })])).toEqual([{ alarms_per_sensor_day: "0.02" }]);
  expect(changes([alert(), alert({ sensorValue: 1 })], { alarmsPerSensorDay: 1 })).toEqual([
    { alarms_per_sensor_day: "0.2" },
  ]);
});

test("silence and stuck values are given more time than the longest took", () => {
  const silence = alert({ alertType: "silence", closedAt: at(600) });
  expect(changes([silence], { silenceSeconds: 300 })).toEqual([{ silence_seconds: "1380" }]);
  expect(changes([alert({ detector: "stuck value" })])).toEqual([{ stuck_seconds: "180" }]);
});

test("nothing is tried for what hardly occurs, or where there was nothing", () => {
  const few = [alert({ alertType: "silence" }), ...Array.from({ length: 9 }, () => alert())];
  expect(changes(few).flatMap(Object.keys)).not.toContain("silence_seconds");
  expect(changes([])).toEqual([]);
});
