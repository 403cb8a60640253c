import { describe, expect, test } from "vitest";
import { alertFigures, alertsOf } from "./alertScore.ts";
import { IGNORED, type LabelledSet, NO_EVENT } from "./labelled.ts";
import { matchPlant, plantFigures } from "./plantScore.ts";
import type { PlantSensor } from "./plants.ts";
import type { PlayedAlert } from "./play.ts";
import { commonThreshold, rank, rankingOf } from "./ranking.ts";
import { wholeTable } from "./wholeTable.ts";

const MINUTE = 60e6;
const ROWS = 20_000;

/** One series of a minute: events at rows 100 to 199, 5,000 to 5,099 and 9,000 to 9,099, rows from 12,000 to 12,999 ignored. */
function labelled(name = "set"): LabelledSet {
  const owner = new Int32Array(ROWS).fill(NO_EVENT);
  [100, 5000, 9000].forEach((row, k) => {
    owner.fill(k, row, row + 100);
  });
  owner.fill(IGNORED, 12_000, 13_000);
  const timeUs = Float64Array.from({ length: ROWS }, (_, i) => i * MINUTE);
  const series = { name: "a", group: "a", timeUs, value: new Float64Array(ROWS), owner, start: 0 };
  return { name, series: [series], events: [100, 5000, 9000].map((first) => ({ group: "a", first, counts: true })) };
}

const signalAt = (rows: Readonly<Record<number, number>>) => {
  const signal = new Float32Array(ROWS);
  for (const [row, height] of Object.entries(rows)) signal[Number(row)] = height;
  return signal;
};
const alert = (fromRow: number, untilRow: number, closedRow = untilRow, severity = 1): PlayedAlert => ({
  ...{ openedUs: fromRow * MINUTE, lastSeenUs: untilRow * MINUTE, closedUs: closedRow * MINUTE },
  ...{ severity, silence: false },
});

describe("the ranking of a set", () => {
  const ranked = rank(labelled(), [signalAt({ 150: 9, 300: 7, 400: 6, 500: 6, 5050: 6.5, 9050: 5, 12500: 99 })]);

  test("has the recall at each number of false alarms, and leaves ignored rows out", () => {
    // 19,000 rows are scored: 1.9, 3.8 and 9.5 false alarms are allowed.
    expect(rankingOf(ranked, [10, 6.5, 5]).own).toEqual([2 / 3, 1, 1]);
    expect(rankingOf(ranked, [10, 6.5, 5]).common).toEqual([0, 2 / 3, 1]);
  });

  test("tells first events from those that follow one that was met", () => {
    expect(rankingOf(ranked, [1, 1, 1])).toMatchObject({ first: 1, repeated: 1 });
    const last = rank(labelled(), [signalAt({ 5050: 6 })]);
    expect(rankingOf(last, [1, 1, 1])).toMatchObject({ first: 0, repeated: 0 });
  });

  test("shares a threshold among sets that weigh the same", () => {
    const quiet = rank(labelled("quiet"), [signalAt({ 150: 3 })]);
    const loud = rank(labelled("loud"), [signalAt({ 300: 5, 301: 4, 302: 3, 303: 2 })]);
    // One in 10,000 on the mean of both is 3.8 in the loud one.
    expect(commonThreshold([quiet, loud], 1)).toBe(3);
  });
});

test("alerts are counted against events: recall, precision, delay, time open, alerts an event", () => {
  const anomaly = new Uint8Array(ROWS);
  for (const [from, until] of [
    [110, 120],
    [150, 230],
    [700, 710],
    [12_100, 12_110],
  ] as const)
    anomaly.fill(1, from, until + 1);
  const alerts = [alert(110, 120, 130), alert(150, 230, 259), alert(700, 710), alert(12_100, 12_110)];
  const set = labelled();
  const figures = alertFigures(set, alertsOf(set, [{ signal: new Float32Array(ROWS), anomaly, alerts }]));
  expect(figures).toMatchObject({ recall: 1 / 3, precision: 2 / 3, delay: 10, openHours: 1, alertsPerEvent: 2 });
  expect(figures.falsePerDay).toBeCloseTo(1440 / ROWS, 4);
});

test("an interval is drawn over assets: of one all series or none", () => {
  const set = labelled();
  const both: LabelledSet = { ...set, series: ["a", "b"].map((name) => ({ ...set.series[0]!, name })) };
  const played = [signalAt({ 150: 9 }), signalAt({ 5050: 9 })].map((signal) => {
    const anomaly = Uint8Array.from(signal, (height) => (height > 0 ? 1 : 0));
    const row = signal.indexOf(9);
    return { signal, anomaly, alerts: [alert(row, row)] };
  });
  const drawnOnce = (assets: number, figure: (drawn: readonly number[]) => number) =>
    `${assets}: ${figure([...Array(assets).keys()]).toFixed(2)}`;
  const lines = wholeTable([{ set: both, played, family: false }], drawnOnce);
  const rows = lines.filter((line) => line.startsWith("| set "));
  expect(rows[0]).toContain("| 0.67 (1: 0.67) |");
  expect(rows[1]).toContain("| 0.67 (1: 0.67) | 1.00 (1: 1.00) |");
});

describe("alerts of plant sensors", () => {
  const sensor = (faulty: boolean): PlantSensor => ({
    ...{ name: "x", kind: "k", faulty, intervalUs: MINUTE, value: new Float64Array(ROWS) },
    timeUs: Float64Array.from({ length: ROWS }, (_, i) => i * MINUTE),
    faults: faulty
      ? [
          { fault: "shift", fromUs: 1000 * MINUTE, untilUs: 1600 * MINUTE },
          { fault: "drift", fromUs: 5000 * MINUTE, untilUs: 6000 * MINUTE },
          { fault: "normal-change", fromUs: 9000 * MINUTE, untilUs: 9060 * MINUTE },
        ]
      : [],
  });

  test("count where they open while a fault lasts, apart where only its return is told, and legitimate changes are no faults", () => {
    const outcome = matchPlant(sensor(true), [alert(1060, 1700), alert(6010, 6020), alert(9010, 9130, 9130, 4)]);
    expect(plantFigures([outcome])).toMatchObject({
      ...{ faults: 2, caught: 1, atReturn: 1, caughtShare: 0.5, delayHours: 1, alertsPerFault: 1 },
      ...{ changeAlerts: 1, changeCritical: 1, changeHours: 2, critical: 0 },
    });
  });

  test("of clean sensors are false, in the first week and later", () => {
    const days = (ROWS - 1) / 1440;
    const figures = plantFigures([matchPlant(sensor(false), [alert(100, 160), alert(15_000, 15_120)])]);
    expect(figures.falseWeek1).toBeCloseTo(1 / 7, 9);
    expect(figures.falseLater).toBeCloseTo(1 / (days - 7), 9);
    expect(figures.falseHours).toBeCloseTo(3 / days, 9);
  });
});
