import { describe, expect, test } from "vitest";
import { FAULTS, inject, simulateSensor } from "./catalogue.ts";
import { telemetrySet } from "./labelled.ts";
import { LOW_FALSE_ALARMS, type NabFile, STANDARD, scoreNab } from "./nab.ts";
import { BUDGETS, ownRecall, rank } from "./ranking.ts";
import { parseSeries, parseTime } from "./series.ts";

/** 1,000 rows with one window of 101 rows from row 500. */
function file(): NabFile {
  const rows = 1000;
  const window = new Int32Array(rows).fill(-1).fill(0, 500, 601);
  const worth = new Float64Array(rows).fill(-1);
  for (let i = 500; i <= 600; i++) worth[i] = 0.5 + (600 - i) / 200;
  return {
    name: "a/x.csv",
    timeUs: new Float64Array(rows),
    value: new Float64Array(rows),
    window,
    windows: 1,
    worth,
    probation: 150,
  };
}

describe("the NAB score", () => {
  const at = (...rows: number[]) => {
    const signal = new Float32Array(1000);
    for (const row of rows) signal[row] = 5;
    return [signal];
  };

  test("is 0 for silence and 100 for a hit at the first row of the window", () => {
    expect(scoreNab([file()], at(), STANDARD).score).toBe(0);
    expect(scoreNab([file()], at(500), STANDARD).score).toBeCloseTo(100, 9);
  });

  test("is lower for a late hit, and for false alarms, which cost twice as much in the low profile", () => {
    expect(scoreNab([file()], at(600), STANDARD).score).toBeCloseTo(75, 9);
    expect(scoreNab([file()], at(300, 500), STANDARD).score).toBeCloseTo(100 - 5.5, 9);
    expect(scoreNab([file()], at(300, 500), LOW_FALSE_ALARMS).score).toBeCloseTo(100 - 11, 9);
  });

  test("does not count alarms in the probation", () => {
    expect(scoreNab([file()], at(10, 500), STANDARD).score).toBeCloseTo(100, 9);
  });
});

test("telemetry recall counts an event once, and each false alarm, at one threshold", () => {
  const rows = 20_000;
  const event = new Int32Array(rows).fill(-1).fill(0, 100, 200).fill(1, 5000, 5100);
  const channel = {
    name: "x",
    timeUs: new Float64Array(rows),
    value: new Float64Array(rows),
    event,
    events: 2,
    start: 0,
  };
  const signal = new Float32Array(rows);
  signal[150] = 9;
  signal[160] = 9;
  for (const i of [300, 400, 500]) signal[i] = 7;
  signal[5050] = 5;
  const ranked = rank(telemetrySet([channel]), [signal]);
  expect(BUDGETS.map((budget) => ownRecall(ranked, budget))).toEqual([0.5, 1, 1]);
});

describe("a CSV", () => {
  test("has times in UTC, with an offset, or as seconds", () => {
    expect(parseTime("2024-01-01 00:00:01.5")).toBe(1_704_067_201_500_000);
    expect(parseTime("2024-01-01T01:00:00+01:00")).toBe(1_704_067_200_000_000);
    expect(parseTime("2024-01-01T01:00:00.123456+01:00")).toBe(1_704_067_200_123_456);
    expect(parseTime("2024-01-01")).toBe(1_704_067_200_000_000);
    expect(parseTime("1704067200")).toBe(1_704_067_200_000_000);
    expect(parseTime("01/02/2024")).toBeNaN();
  });

  test("may have quotes, Windows line ends, other columns and no header", () => {
    const quoted = parseSeries('id,"value",timestamp\r\n"a,b",1.5,2024-01-01T00:00:00Z\r\n');
    expect([...quoted.value]).toEqual([1.5]);
    expect(quoted.badCount).toBe(0);
    expect([...parseSeries("1\n2\n").value]).toEqual([1, 2]);
    expect(() => parseSeries("hello,world\n")).toThrow(/wanted a header with a column "value"/);
  });
});

describe("the simulated catalogue", () => {
  test("is frozen: the same seed gives the same readings and faults", () => {
    const [a, b] = [simulateSensor(3), simulateSensor(3)];
    expect(a.value).toEqual(b.value);
    const spike = inject(a, FAULTS[0]!, 0);
    expect(spike.end - spike.start).toBe(1);
    expect(Math.abs(spike.value[0]! - a.value[spike.start]!)).toBeCloseTo(6 * a.sigma, 6);
  });
});
