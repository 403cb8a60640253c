import { describe, expect, test } from "vitest";
import { ColumnSums } from "../../store/chart/column-sums.ts";
import { createPoints, type Points } from "../../store/points.ts";
import { type Curve, curveOf, spanAroundAlert } from "./curve.ts";
import { COLOURS, drawCurve, WIDTH } from "./draw.ts";

const S = 1_000_000;

/** Readings a second apart from 0 on, each with a band of 1 around 10. */
function readings(values: readonly number[]): Points {
  const points = createPoints(values.length);
  for (const [i, value] of values.entries()) {
    points.timeUs[i] = i * S;
    points.value[i] = value;
    points.expected[i] = 10;
    points.band[i] = 1;
  }
  points.length = values.length;
  return points;
}

const grid = { widthUs: 2 * S, startUs: 0, count: 4 };
const open = { startsUs: 3 * S };

describe("the time around an alert", () => {
  test("reaches back to the readings before it, and to now while it is open", () => {
    expect(spanAroundAlert({ startsUs: 500 * S }, 350 * S, 510 * S)).toEqual({ fromUs: 350 * S, toUs: 510 * S });
  });

  test("reaches back for a third of a long alert, and a while behind its end", () => {
    const over = { startsUs: 1_000 * S, endsUs: 1_900 * S };
    expect(spanAroundAlert(over, 900 * S, 5_000 * S)).toEqual({ fromUs: 700 * S, toUs: 2_000 * S });
    expect(spanAroundAlert(over, 900 * S, 1_900 * S).toUs).toBe(1_900 * S);
  });

  test("of a sensor without earlier readings it is an hour", () => {
    expect(spanAroundAlert({ startsUs: 7_200 * S }, undefined, 7_200 * S).fromUs).toBe(3_600 * S);
  });
});

describe("the curve", () => {
  test("has each reading where they are few, and the band of each", () => {
    const sums = new ColumnSums(grid);
    const curve = curveOf({ unit: "bar", points: readings([10, 11, 30]), sums }, { fromUs: 0, toUs: 3 * S }, open)!;
    expect(curve).toMatchObject({
      ...{ unit: "bar", timesUs: [0, S, 2 * S], low: [10, 11, 30], high: [10, 11, 30] },
      ...{ lower: [9, 9, 9], upper: [11, 11, 11], alert: { fromUs: 3 * S, toUs: 3 * S } },
    });
  });

  test("has the range of each column where they are many, and no column without a reading", () => {
    const sums = new ColumnSums(grid);
    sums.addPoints(readings([10, 11, 30, 12]), 0, 8 * S);
    const curve = curveOf({ unit: "", points: undefined, sums }, { fromUs: 0, toUs: 8 * S }, open)!;
    expect(curve).toMatchObject({ timesUs: [S, 3 * S], low: [10, 12], high: [11, 30], lower: [9, 9], upper: [11, 11] });
  });

  test("there is none without a reading", () => {
    const nothing = { unit: "", points: undefined, sums: new ColumnSums(grid) };
    expect(curveOf(nothing, { fromUs: 0, toUs: 8 * S }, open)).toBeUndefined();
  });
});

describe("the drawing", () => {
  const curve: Curve = {
    ...{ unit: "bar", fromUs: 0, toUs: 100 * S, timesUs: [0, S, 2 * S, 50 * S], low: [1, 2, 3, 4], high: [1, 2, 3, 4] },
    ...{ lower: [0, 0, Number.NaN, 3], upper: [2, 3, Number.NaN, 5], alert: { fromUs: 100 * S, toUs: 100 * S } },
  };
  const lines = (svg: string, colour: string) =>
    [...svg.matchAll(new RegExp(`<polyline points="([^"]*)"[^>]*stroke="${colour}"`, "g"))].map(
      ([, at]) => at!.split(" ").length,
    );

  test("the line breaks where nothing came for long, and the band where there is none", () => {
    const svg = drawCurve(curve);
    // A single reading is a line from itself to itself: a dot.
    expect(lines(svg, COLOURS.line)).toEqual([3, 2]);
    expect(lines(svg, COLOURS.band)).toEqual([2, 2, 2, 2]);
    expect(svg).not.toContain("NaN");
  });

  test("an alert that has just begun is seen at the edge", () => {
    const [, x, width] = /<rect x="([\d.]+)" y="0" width="([\d.]+)"/.exec(drawCurve(curve))!;
    expect(Number(width)).toBeGreaterThan(0);
    expect(Number(x) + Number(width)).toBe(WIDTH);
  });
});
