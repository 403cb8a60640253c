import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { GetCallerRequestSchema } from "../../gen/web/telltale/v1/admin_pb.ts";
import { GetAlertRequestSchema, ListAlertsRequestSchema } from "../../gen/web/telltale/v1/alert_pb.ts";
import { GetSeriesRequestSchema } from "../../gen/web/telltale/v1/chart_pb.ts";
import { GetSensorRequestSchema } from "../../gen/web/telltale/v1/registry_pb.ts";
import { timestampOf } from "../app/format.ts";
import { columnsOf, firstChartWidth } from "../chart/columns.ts";
import { firstSpan } from "../chart/range.ts";
import { caller, callsOf, FIRST_ALERTS } from "./calls.ts";

const NOW = 1_796_000_000_123;
const where = (query = "", width = 1440) => ({ query: new URLSearchParams(query), nowMs: NOW, width });
const bytes = <D extends DescMessage>(schema: D, message: MessageInitShape<D>) =>
  toBinary(schema, create(schema, message));

test("what is asked early is what the pages ask, to the byte", () => {
  expect(caller()).toEqual({ method: "AdminService/GetCaller", body: bytes(GetCallerRequestSchema, {}) });
  for (const id of ["boiler-1", "line 3/Öl", "x".repeat(200)]) {
    const span = firstSpan(86_400_000, NOW);
    const times = { startTime: timestampOf(span.from), endTime: timestampOf(span.to) };
    const columns = columnsOf(firstChartWidth(1440));
    expect(callsOf({ name: "sensor", id }, where())).toEqual([
      { method: "RegistryService/GetSensor", body: bytes(GetSensorRequestSchema, { sensorId: id }) },
      {
        method: "QueryService/GetSeries",
        body: bytes(GetSeriesRequestSchema, { sensorIds: [id], ...times, columns }),
      },
    ]);
  }
  const id = 966_069_203_455_872n;
  expect(callsOf({ name: "alert", id }, where())).toEqual([
    { method: "AlertService/GetAlert", body: bytes(GetAlertRequestSchema, { alertId: id }) },
  ]);
  expect(callsOf({ name: "alerts" }, where("q=boiler"))).toEqual([
    {
      method: "AlertService/ListAlerts",
      body: bytes(ListAlertsRequestSchema, { resolved: false, limit: FIRST_ALERTS }),
    },
  ]);
});

test("a chart begins with the span of the address", () => {
  const [, series] = callsOf({ name: "sensor", id: "a" }, where("from=2026-11-04T00:00:00Z&to=2026-11-04T12:00:00Z"));
  const times = { startTime: timestampOf(Date.UTC(2026, 10, 4)), endTime: timestampOf(Date.UTC(2026, 10, 4, 12)) };
  const columns = columnsOf(firstChartWidth(1440));
  expect(series!.body).toEqual(bytes(GetSeriesRequestSchema, { sensorIds: ["a"], ...times, columns }));
});

test("nothing is asked of which the page asks something else", () => {
  expect(callsOf({ name: "alerts" }, where("severity=high"))).toEqual([]);
  expect(callsOf({ name: "alerts" }, where("show=all"))).toEqual([]);
  expect(callsOf({ name: "overview" }, where())).toEqual([]);
  // Before 1970 seconds are negative, and no number that is written here.
  const ancient = callsOf({ name: "sensor", id: "a" }, where("from=1969-01-01&to=1970-01-01"));
  expect(ancient.map(({ method }) => method)).toEqual(["RegistryService/GetSensor"]);
});
