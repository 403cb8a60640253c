import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { BacktestPictureSchema } from "../../gen/web/telltale/v1/detector_pb.ts";
import { bandOf, edgesInside, NOTHING_TRIED, triedText } from "./tried.ts";

const band = bandOf(
  create(BacktestPictureSchema, {
    times: [1_000, 2_000, 3_000].map((ms) => timestampFromMs(ms)),
    low: [0, 0, 0],
    high: [9, 9, 9],
    expectedLow: [1, Number.NaN, 3],
    expectedHigh: [5, Number.NaN, 7],
  }),
);

test("the band has a hole where no reading was judged", () => {
  expect(band).toEqual({ times: [1_000, 2_000, 3_000], lower: [1, null, 3], upper: [5, null, 7] });
  expect(bandOf(undefined)).toBe(NOTHING_TRIED.band);
});

test("the axis has room for the edges that are shown", () => {
  expect(edgesInside(band, { from: 1_500, to: 3_000 })).toEqual({ lower: [null, 3], upper: [null, 7] });
});

test("the point under the cursor says what would have been normal, in a column that was judged", () => {
  expect(triedText(band, 3_400, "bar")).toMatch(/^; with the other settings 3\sbar to 7\sbar would be normal$/);
  for (const ms of [2_000, 9_000]) expect(triedText(band, ms, "bar")).toBe("");
  expect(triedText(NOTHING_TRIED.band, 1_000, "bar")).toBe("");
});
