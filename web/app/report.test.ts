import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { FleetReportSchema, Verdict } from "../../gen/web/telltale/v1/report_pb.ts";
import { alarmBars, reportSpan, sparkOf, verdictOf } from "./report.ts";

const NOON = Date.UTC(2026, 10, 29, 12, 30);
const texts = ({ from, to }: { from: number; to: number }) => [from, to].map((ms) => new Date(ms).toISOString());

test("a report is of whole hours, and ends now or where the address says", () => {
  expect(texts(reportSpan(1, "", NOON))).toEqual(["2026-11-28T13:00:00.000Z", "2026-11-29T13:00:00.000Z"]);
  expect(texts(reportSpan(7, "2026-11-09", NOON))).toEqual(["2026-11-02T00:00:00.000Z", "2026-11-09T00:00:00.000Z"]);
  expect(reportSpan(1, "2030-01-01", NOON)).toEqual(reportSpan(1, "", NOON));
  expect(reportSpan(1, "never", NOON)).toEqual(reportSpan(1, "", NOON));
});

test("a day has a bar for each ten minutes, a week one for each hour, and none is lost", () => {
  const of = (length: number) => alarmBars(create(FleetReportSchema, { alarmsPerTenMinutes: Array(length).fill(1) }));
  expect(of(144)).toMatchObject({ what: "ten minutes", values: { length: 144 } });
  expect(of(1_008)).toMatchObject({ what: "hour", values: { length: 168 } });
  expect(of(1_008).values.reduce((a, b) => a + b)).toBe(1_008);
});

test("a verdict is a word, and a line is drawn where there are two points", () => {
  expect([Verdict.GOOD, Verdict.BORDERLINE, Verdict.BAD].map((each) => verdictOf(each).text)).toEqual([
    ...["within", "borderline"],
    "outside",
  ]);
  const point = (seconds: number, mean: number) =>
    ({ startTime: { seconds: BigInt(seconds), nanos: 0 }, mean }) as never;
  expect(sparkOf([point(0, 1), point(10, 3)])).toBe("0.0,22.0 100.0,2.0");
  expect(sparkOf([point(0, 1)])).toBe("");
});
