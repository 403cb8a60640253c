import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { DetectorConfigSchema, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import {
  AssetSettingsControlSchema,
  type Control,
  ControlSchema,
  PlaceSensorsControlSchema,
} from "../../gen/es/telltale/v1/log_pb.ts";
import { SeriesSource } from "../../ml/backtest.ts";
import { createDetector } from "../detect/index.ts";
import { idOf } from "../log/id-clock.ts";
import { NAMED_ALERTS, PREVIEW_SENSORS, type Preview } from "./jobs.ts";
import { type PreviewSource, runPreview } from "./preview.ts";
import { type ControlEvent, Ticks } from "./timeline.ts";

const START = Date.UTC(2020, 0, 6) * 1000;
const MINUTE = 60e6;
const DAYS = 40;
const READINGS = DAYS * 1440;

/** Noise of a minute each, with a jump each second day that lasts ten minutes: up, down, up, down … */
const TIMES = Float64Array.from({ length: READINGS }, (_, n) => START + n * MINUTE);
const VALUES = TIMES.map((_, n) => {
  const noise = ((Math.imul(n ^ 0x5bd1, 0x9e3779b1) >>> 8) % 1000) / 500 - 1;
  const jump = n % 2880 >= 2000 && n % 2880 < 2010 ? (Math.floor(n / 2880) % 2 === 0 ? 25 : -25) : 0;
  return 20 + noise + jump;
});

/** Several sensors with that history, and the controls of their log. */
function history(sensors: number, controls: readonly ControlEvent[] = [], total = sensors): PreviewSource {
  const all = Array.from({ length: sensors }, (_, i) => new SeriesSource(`s${i}`, "C", TIMES, VALUES, 0));
  const sourceOf = (id: string) => all[Number(id.slice(1))]!;
  return {
    concerned: async ({ sensorId }, limit) => {
      const ids = all.map((_, i) => `s${i}`).filter((id) => sensorId === "" || id === sensorId);
      return { sensorIds: ids.slice(0, limit), total: sensorId === "" ? total : ids.length };
    },
    sensors: async (ids) => (await Promise.all(ids.map((id) => sourceOf(id).sensors()))).flat(),
    alerts: async () => [],
    pages: (sensor) => sourceOf(sensor.sensorId).pages(),
    timeline: async () => ({ controls, ticks: new Ticks() }),
    newest: async () => 0,
  };
}

type Config = MessageInitShape<typeof DetectorConfigSchema>;

async function preview(config: Config, source = history(1), now: () => number = () => 0): Promise<Preview> {
  const bytes = toBinary(DetectorConfigSchema, create(DetectorConfigSchema, config));
  const job = { kind: "preview", config: bytes, nowUs: START + 900 * 1440 * MINUTE, untilMs: 1 } as const;
  const told: Preview[] = [];
  const found = await runPreview({ history: source, createDetector, job, now, onProgress: (p) => told.push(p) });
  // Whoever ends it at any time has what was found until then.
  expect(told.map(({ sensors }) => sensors)).toEqual(told.map((_, i) => i));
  expect(told.at(-1)).toEqual({ ...found, outOfTime: true });
  return found;
}

/** A control of the log at the reading number n. */
const control = (n: number, value: Config, kind: "settings" | "config" = "settings"): ControlEvent => ({
  tick: Math.floor(idOf((n * MINUTE) / 8, 0) / 128),
  receivedUs: START + n * MINUTE,
  control: create(ControlSchema, { id: `c${n}`, action: { case: kind, value } }),
});

test("a direction avoids the alerts of the other side, over the last 30 days of history alone", async () => {
  const none = await preview({ sensorId: "s0" });
  expect(none).toMatchObject({ avoidedCount: 0, addedCount: 0, sensors: 1, concerned: 1, readings: READINGS });
  const high = await preview({ sensorId: "s0", direction: Direction.HIGH });
  const low = await preview({ sensorId: "s0", direction: Direction.LOW });
  const off = await preview({ sensorId: "s0", off: true });
  expect([high.addedCount, low.addedCount, off.addedCount]).toEqual([0, 0, 0]);
  expect(high.avoidedCount).toBeGreaterThan(3);
  expect(low.avoidedCount).toBeGreaterThan(3);
  // One alert may have no side, such as a stuck value.
  const sided = high.avoidedCount + low.avoidedCount;
  expect([sided, sided + 1]).toContain(off.avoidedCount);
  expect(high.avoided.every(({ value, expected }) => value < expected!)).toBe(true);
  expect(low.avoided.every(({ value, expected }) => value > expected!)).toBe(true);
  const since = START + (DAYS - 30) * 1440 * MINUTE - MINUTE;
  expect(off.avoided.every(({ openedUs }) => openedUs >= since)).toBe(true);
  const times = off.avoided.map(({ openedUs }) => openedUs);
  expect(times).toEqual([...times].sort((a, b) => b - a));
});

test("a change is compared with what is in force now, and not with what once was", async () => {
  const off = { sensorId: "s0", off: true };
  // Since yesterday: without the change, the whole 30 days are without alerts.
  const since = history(1, [control(READINGS - 1440, off)]);
  const on = await preview({ sensorId: "s0" }, since);
  expect(on.avoidedCount).toBe(0);
  expect(on.addedCount).toBe((await preview(off)).avoidedCount);
  expect(await preview(off, since)).toMatchObject({ avoidedCount: 0, addedCount: 0 });
  // What another scope says stays: the sensor's own settings count above those of all types.
  expect(await preview({ off: false, rangeMax: 30 }, since)).toMatchObject({ avoidedCount: 0, addedCount: 0 });
  const ranged = await preview({ rangeMax: 20.99 });
  expect(ranged.addedCount).toBeGreaterThan(NAMED_ALERTS);
  expect(ranged.added).toHaveLength(NAMED_ALERTS);
});

test("settings of an asset that stay as they are change nothing, also of a sensor that came into it yesterday", async () => {
  const act = (n: number, action: Control["action"]): ControlEvent => ({
    ...control(n, {}),
    control: create(ControlSchema, { id: `a${n}`, action }),
  });
  const off = create(DetectorConfigSchema, { asset: "yard", off: true });
  const into = (n: number, asset: string) =>
    act(n, {
      case: "placeSensors",
      value: create(PlaceSensorsControlSchema, { placed: [{ asset, sensorIds: ["s0"] }] }),
    });
  const moved: PreviewSource = {
    ...history(1, [
      act(1, { case: "assetSettings", value: create(AssetSettingsControlSchema, { config: off }) }),
      into(READINGS - 20 * 1440, "hall"),
      into(READINGS - 1440, "yard"),
    ]),
    places: async () => new Map([["s0", "yard"]]),
  };
  expect(await preview(off, moved)).toMatchObject({ avoidedCount: 0, addedCount: 0 });
  // As if it had always been in it.
  expect((await preview({ asset: "yard" }, moved)).addedCount).toBe(
    (await preview({ sensorId: "s0", off: true })).avoidedCount,
  );
});

test("sensors past the most are counted and not replayed, and what the time does not allow neither", async () => {
  const asked: number[] = [];
  const few: PreviewSource = {
    ...history(2, [], 5000),
    concerned: async (_, limit) => {
      asked.push(limit);
      return { sensorIds: ["s0", "s1"], total: 5000 };
    },
  };
  const some = await preview({ direction: Direction.HIGH }, few);
  expect(some).toMatchObject({ sensors: 2, concerned: 5000, outOfTime: false });
  expect(asked).toEqual([PREVIEW_SENSORS]);
  // The clock is asked before each sensor and between pages, of which there is one.
  const clock = (answers: number[]) => () => answers.shift() ?? 1;
  expect(await preview({}, history(3), clock([0, 0, 0]))).toMatchObject({ sensors: 1, concerned: 3, outOfTime: true });
  expect(await preview({}, history(3), clock([0, 0]))).toMatchObject({ sensors: 0, avoidedCount: 0, outOfTime: true });
  expect(await preview({}, history(3), clock([]))).toMatchObject({ sensors: 0, readings: 0, outOfTime: true });
  expect(await preview({ sensorId: "s9" }, history(3))).toMatchObject({ sensors: 0, concerned: 0, outOfTime: false });
});
