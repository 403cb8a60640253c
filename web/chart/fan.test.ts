import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ForecastResponseSchema, LimitCrossingSchema } from "../../gen/web/telltale/v1/detector_pb.ts";
import { crossingText, fanOf } from "./fan.ts";

const point = (hours: number, expected: number) => ({
  time: timestampFromMs(hours * 3_600_000),
  ...{ expected, lower50: expected - 1, upper50: expected + 1, lower80: expected - 2, upper80: expected + 2 },
  ...{ lower95: expected - 4, upper95: expected + 4 },
});

test("a forecast fills the width and the height, from its widest interval to the line in the middle", () => {
  const fan = fanOf(create(ForecastResponseSchema, { points: [point(1, 10), point(2, 12)] }), 100, 50)!;
  expect(fan).toMatchObject({ low: 6, high: 16, line: "0.0,30.0 100.0,20.0" });
  expect(fan.intervals.map(({ name }) => name)).toEqual(["95 %", "80 %", "50 %"]);
  expect(fan.intervals[0]!.points).toBe("0.0,10.0 100.0,0.0 100.0,40.0 0.0,50.0");
  expect(fanOf(create(ForecastResponseSchema), 100, 50)).toBeUndefined();
});

test("a crossing says which limit, when, and how probable", () => {
  const said = (expected: number | undefined) =>
    crossingText(
      create(LimitCrossingSchema, {
        ...{ setting: "range_max", limit: 95, probability: 0.61, earliest: timestampFromMs(3_600_000) },
        ...(expected === undefined ? {} : { expected: timestampFromMs(expected) }),
      }),
      "C",
      "UTC",
    );
  expect(said(7_200_000)).toMatch(/^It will be above the limit of 95.C about .*02:00.*, with a probability of 61 %\.$/);
  expect(said(undefined)).toMatch(/from .*01:00.* at the earliest/);
});
