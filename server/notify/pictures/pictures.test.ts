/** What a message waits for, and what it does not. */
import { decode } from "fast-png";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { recordingLogger } from "../../../testing/logger.ts";
import { notifiedAlert } from "../../../testing/notification.ts";
import { manualClock } from "../../clock.ts";
import { ColumnSums } from "../../store/chart/column-sums.ts";
import { gridOf } from "../../store/chart/grid.ts";
import { createPoints } from "../../store/points.ts";
import { FIRST_RECEIVED_ID } from "../received/received-alert.ts";
import { HEIGHT, WIDTH } from "./draw.ts";
import { type PictureOutcome, Pictures, type PicturesOptions } from "./pictures.ts";
import { Rasteriser } from "./rasteriser.ts";

const alert = notifiedAlert();
const range = { fromUs: alert.startsUs, toUs: alert.startsUs + 1_000_000, columns: 10 };

/** A store with one reading, that which opened the alert. */
const store: PicturesOptions["queries"] = {
  readings: async () => ({ points: createPoints(0), series: [], model: [], metadata: new Map(), order: [] }),
  chart: async ([sensorId]) => {
    const points = createPoints(1);
    points.length = 1;
    [points.timeUs[0], points.value[0], points.expected[0], points.band[0]] = [alert.startsUs, 98.2, 71.4, 2];
    const grid = gridOf(range);
    const series = { sensorId: sensorId!, unit: "C", sums: new ColumnSums(grid), points, otherUnits: [] };
    return { grid, series: [series], completing: false };
  },
};

const outcomes: PictureOutcome[] = [];
const { logger, lines } = recordingLogger();
const opened: Pictures[] = [];
const open = (queries: PicturesOptions["queries"], maxWaitMs?: number) => {
  const given = { queries, clock: manualClock(alert.startsUs), logger, ...(maxWaitMs && { maxWaitMs }) };
  opened.push(new Pictures({ ...given, onOutcome: (outcome) => outcomes.push(outcome) }));
  return opened.at(-1)!;
};
beforeEach(() => {
  outcomes.length = 0;
});
afterAll(() => Promise.all(opened.map((each) => each.close())));

test("a picture says in words what it shows", async () => {
  // Also on a machine that takes long to start a thread.
  const picture = (await open(store, 60_000).of(alert))!;
  expect(decode(picture.png)).toMatchObject({ width: WIDTH, height: HEIGHT });
  expect(picture).toMatchObject({
    summary:
      "Press 3 from 2026-11-22 22:43:28 UTC to 2026-11-22 23:43:28 UTC: 98.2 C to 98.2 C; normal 69.4 C to 73.4 C",
    hasBand: true,
  });
  expect(outcomes).toEqual(["made"]);
});

test("alerts of other programs, tests and broken channels have none, and cost nothing", async () => {
  const pictures = open({ readings: () => Promise.reject(new Error("asked")), chart: store.chart });
  const others = [
    { id: String(FIRST_RECEIVED_ID) },
    { id: "-7" },
    { id: "test" },
    { labels: { sensor_id: undefined! } },
  ];
  for (const other of others) expect(await pictures.of(notifiedAlert(other))).toBeUndefined();
  expect(outcomes).toEqual([]);
});

test("a store that fails or does not answer leaves the picture out, with a count and a line in the log", async () => {
  const failing = open({ ...store, chart: () => Promise.reject(new Error("the database is gone")) });
  expect(await failing.of(alert)).toBeUndefined();
  const hanging = open({ ...store, readings: () => new Promise(() => {}) }, 1);
  expect(await hanging.of(alert)).toBeUndefined();
  const patient = open({ ...store, readings: () => new Promise(() => {}) }, 60_000);
  expect(await patient.of(alert, { withinMs: 1 })).toBeUndefined();
  expect(outcomes).toEqual(["failed", "late", "late"]);
  expect(lines().map(({ msg, err }) => [msg, (err as Error).message])).toEqual([
    ["a message is sent without its picture", "the database is gone"],
    ["a message is sent without its picture", expect.stringContaining("timeout")],
    ["a message is sent without its picture", expect.stringContaining("timeout")],
  ]);
});

test("where too many are asked for, those beyond are left out at once", async () => {
  const pictures = open({ ...store, readings: () => new Promise(() => {}) }, 1_000_000);
  const many = Array.from({ length: 17 }, () => pictures.of(alert));
  expect(await many.at(-1)).toBeUndefined();
  expect(outcomes).toEqual(["busy"]);
});

describe("the thread that draws", () => {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="2" height="1"><rect width="2" height="1" fill="#4a7bd0"/></svg>';
  const forever = new AbortController().signal;
  const rasteriser = new Rasteriser();
  afterAll(() => rasteriser.close());

  test("is replaced where it fails and where it is given up, and draws in the width that is asked for", async () => {
    await expect(rasteriser.draw("no picture", 4, forever)).rejects.toThrow();
    const given = new AbortController();
    const late = rasteriser.draw(svg, 4, given.signal);
    given.abort(new Error("too late"));
    await expect(late).rejects.toThrow("too late");
    const { width, height, data } = decode(await rasteriser.draw(svg, 4, forever));
    expect([width, height, [...data.slice(0, 4)]]).toEqual([4, 2, [0x4a, 0x7b, 0xd0, 255]]);
  });
});
