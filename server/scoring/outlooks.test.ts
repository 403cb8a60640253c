import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { Random } from "../../testing/random.ts";
import { SensorReplay } from "../backtest/replay.ts";
import { createDetector, type Detector, type DetectorSettings, REASON_LIMIT_AHEAD, REASONS } from "../detect/index.ts";
import { enumName } from "../lib/enum-name.ts";
import { firstTick, idOf } from "../log/id-clock.ts";
import type { AlertRow } from "../store/store.ts";
import { applyControl } from "./controls.ts";
import { CHUNK_LAYOUT, Sensors } from "./sensors.ts";
import { PartitionState } from "./state.ts";

const START = Date.UTC(2026, 0, 5) * 1000;
const MINUTE_US = 60e6;
const DAY = 24 * 60;
const SERIES = { sensorId: "boiler-1", sensorType: "temperature", unit: "C", location: "hall 1" };
const LIMITS: DetectorSettings = { rangeMax: 60 };
const random = new Random(3);
const NOISE = Float64Array.from({ length: 10 * DAY }, () => random.next() - 0.5);

/** Rises by 10 in 20 hours from the sixth day on, up to `most`. */
const drift =
  (most: number, from: number = 6 * DAY) =>
  (n: number) =>
    50 + NOISE[n]! + Math.min(most, Math.max(0, (n - from) / 120));

interface Told {
  readonly minute: number;
  readonly type: string;
  readonly transition: AlertEventType | undefined;
  readonly alert: AlertRow;
}

/** A reading and some ticks each minute. `act` may do something after the reading of a minute. */
async function play(
  minutes: number,
  value: (n: number) => number | undefined,
  settings: DetectorSettings = LIMITS,
  act?: (replay: SensorReplay, minute: number, told: readonly Told[], detector: Detector) => Promise<void>,
): Promise<Told[]> {
  const told: Told[] = [];
  let minute = 0;
  const detector = createDetector();
  detector.configure("temperature", settings, true);
  const replay = new SensorReplay({
    ...{ detector, partition: 0 },
    onAlert: (alert, transition) => told.push({ minute, type: alert.alertType, transition, alert }),
  });
  for (; minute < minutes; minute++) {
    const atUs = START + minute * MINUTE_US;
    const reading = value(minute);
    if (reading !== undefined) replay.reading(SERIES, atUs, reading, idOf(firstTick(0, atUs), 0), 0);
    await act?.(replay, minute, told, detector);
    // Closer than a standstill of the log, of which no silence follows.
    for (let tick = 0; tick < 20; tick++) replay.tick(atUs + 1e6 + tick * 3e6);
  }
  return told;
}

const early = (told: readonly Told[]) => told.filter(({ type }) => type === "limit_forecast");
const story = (told: readonly Told[]) =>
  told.flatMap(({ type, transition }) =>
    transition === undefined ? [] : [`${type} ${enumName(AlertEventType, transition)}`],
  );

test("a sensor that heads for its limit is told of hours before, once, and when it is crossed the limit's own alert goes on", async () => {
  const told = await play(8 * DAY, drift(20));
  const [opened, ...updates] = early(told);
  const crossed = told.find(
    ({ alert }) => alert.detector === "impossible range" || alert.message.includes("configured range"),
  )!;
  expect(crossed.minute - opened!.minute).toBeGreaterThan(3 * 60);
  expect(crossed.minute - opened!.minute).toBeLessThan(13 * 60);
  expect(early(told).filter(({ transition }) => transition === AlertEventType.OPENED).length).toBe(1);
  const last = updates.at(-1)!;
  expect(last).toMatchObject({
    transition: AlertEventType.RECOVERED,
    alert: { id: opened!.alert.id, state: AlertState.RECOVERED },
  });
  // By then the alert of the crossing is open.
  const before = told.slice(0, told.indexOf(last));
  expect(before.some(({ alert, type }) => type === "anomaly_detection" && alert.state === AlertState.OPEN)).toBe(true);
  expect(last.alert.message).toMatch(
    /^Limit crossed at 2026-01-1\d .* after this alert opened: temperature of boiler-1 \(hall 1\) was expected/,
  );
});

test("the alert says which limit, when, between when and when, and how probable it is", async () => {
  const [opened] = early(await play(7 * DAY, drift(20)));
  expect(opened!.alert).toMatchObject({
    ...{ sensorId: "boiler-1", severity: 2, threshold: 60, expected: null, detector: "limit ahead" },
  });
  expect(opened!.alert.confidence).toBeGreaterThanOrEqual(0.7);
  expect(opened!.alert.message).toMatch(
    /^Limit ahead: temperature of boiler-1 \(hall 1\) expected to rise above 60 C in about \d+ h, at 2026-01-1\d \d\d:\d\d:\d\d UTC \((between \d+ h and \d+ h|not before \d+ h); probability 0\.\d\d\); medium: 5\d\.\d+ C at 2026-01-1\d .*; likely a drift/,
  );
});

test("it is over where the sensor stays away from the limit after all", async () => {
  const last = early(await play(9 * DAY, drift(7))).at(-1);
  expect(last).toMatchObject({ transition: AlertEventType.RECOVERED });
  expect(last!.alert.message).toMatch(/^Limit no longer ahead at /);
});

test("what a person has closed is not opened again by the same approach", async () => {
  const told = await play(8 * DAY, drift(20), LIMITS, async (replay, minute, before) => {
    const open = early(before).at(-1);
    if (open?.alert.state !== AlertState.OPEN || minute < open.minute + 30) return;
    const value = { alertId: BigInt(open.alert.id), sensorId: "boiler-1" };
    const control = create(ControlSchema, { id: "1", principal: "ann", action: { case: "resolve", value } });
    await replay.control({ control, receivedUs: START + minute * MINUTE_US, tick: 0 });
  });
  expect(story(early(told))).toEqual(["limit_forecast opened", "limit_forecast resolved"]);
  expect(early(told).at(-1)!.alert.resolvedBy).toBe("ann");
});

test.each([
  ["without a limit", {}],
  ["with early alerts switched off", { rangeMax: 60, earlyAlertHours: 0 }],
  ["of a sensor that is not judged", { rangeMax: 60, off: true }],
  ["toward the other limit", { rangeMin: 40 }],
] as const)("nothing is said %s", async (_, settings) => {
  expect(early(await play(7 * DAY, drift(20), settings))).toEqual([]);
});

test("a drift that was long ago when its readings came is not told", async () => {
  const told: string[] = [];
  const detector = createDetector();
  detector.configure("temperature", LIMITS, true);
  const replay = new SensorReplay({ detector, partition: 0, onAlert: ({ alertType }) => told.push(alertType) });
  for (let minute = 0; minute < 6 * DAY + 20 * 60; minute++) {
    const atUs = START + minute * MINUTE_US;
    replay.reading(SERIES, atUs, drift(20)(minute), idOf(firstTick(0, atUs), 0), 0);
    if (minute % 30 === 0) replay.tick(START + 30 * DAY * MINUTE_US);
  }
  expect(told).not.toContain("limit_forecast");
});

test("a sensor that falls silent with an early alert open is told of, by another id", async () => {
  const told = await play(7 * DAY, (n) => (n < 6 * DAY + 17 * 60 ? drift(20)(n) : undefined));
  const opened = story(told).filter((each) => each.endsWith("opened"));
  expect(opened).toContain("limit_forecast opened");
  expect(opened).toContain("silence opened");
  const ids = told.filter(({ transition }) => transition === AlertEventType.OPENED).map(({ alert }) => alert.id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("an early alert of a sensor that sends nothing more is over when it should have crossed the limit at the latest, and says so", async () => {
  const silentFrom = 6 * DAY + 17 * 60;
  const told = early(await play(8 * DAY, (n) => (n < silentFrom ? drift(20)(n) : undefined)));
  const last = told.at(-1)!;
  expect(last).toMatchObject({ transition: AlertEventType.RECOVERED, alert: { state: AlertState.RECOVERED } });
  expect(last.minute).toBeGreaterThan(silentFrom + 90);
  expect(last.minute).toBeLessThan(silentFrom + 13 * 60);
  expect(last.alert.message).toMatch(
    /^No readings since 2026-01-11 1\d:\d\d:\d\d UTC, so that nobody knows whether the limit was crossed; closed at .* after this alert opened: temperature of boiler-1/,
  );
});

test("an early alert whose sensor is to be looked ahead of otherwise, and falls silent after that, is over as any", async () => {
  let silentFrom = Number.POSITIVE_INFINITY;
  const told = early(
    await play(
      8 * DAY,
      (n) => (n < silentFrom ? drift(20)(n) : undefined),
      LIMITS,
      async (_, minute, before, detector) => {
        if (early(before).length === 0 || silentFrom < Number.POSITIVE_INFINITY) return;
        detector.configure("temperature", { ...LIMITS, earlyAlertHours: 6 }, true);
        silentFrom = minute + 3;
      },
    ),
  );
  expect(silentFrom).toBeLessThan(8 * DAY);
  expect(told.at(-1)).toMatchObject({ transition: AlertEventType.RECOVERED });
  expect(told.at(-1)!.alert.message).toMatch(/^No readings since /);
});

test("looks at sensors whose steps end at the same moment are spread over a minute, the same way in each replay", async () => {
  const looks = async () => {
    const detector = createDetector();
    detector.configure("temperature", LIMITS, true);
    const state = new PartitionState(detector);
    const slots = Array.from({ length: 400 }, (_, i) => state.sensors.add(`s-${i}`, "temperature", "C"));
    const stepUs = 45 * MINUTE_US;
    const { outlooks } = state.sensors;
    for (const atUs of [START, START + stepUs]) {
      for (const slot of slots) outlooks.reading(slot, atUs, 50, idOf(firstTick(0, atUs) + slot, 0));
    }
    return Array.from({ length: 14 }, (_, k) => outlooks.due(START + stepUs + k * 5e6).length);
  };
  const due = await looks();
  expect(due[0]).toBeLessThan(10);
  expect(due.at(-1)).toBe(400);
  const inFiveSeconds = due.slice(1).map((n, i) => n - due[i]!);
  expect(Math.max(...inFiveSeconds)).toBeLessThan(60);
  expect(await looks()).toEqual(due);
});

/** A state with an early alert open, up to a reading of one of two sensors. */
function headed() {
  const state = new PartitionState(createDetector());
  state.sensors.detector.configure("temperature", LIMITS, true);
  const slot = state.sensors.add("boiler-1", "temperature", "C");
  const last = { timeUs: START, value: 58 };
  const batch = { slot: [slot], timeUs: [START], value: [58], anomaly: [0], score: [0] };
  const rows = batch as unknown as Parameters<PartitionState["observe"]>[0];
  for (const id of [1, 2]) state.observe(rows, 0, id, false);
  const ahead = {
    setting: "range_max",
    limit: 60,
    probability: 0.9,
    earliestUs: 1,
    expectedUs: 2,
    latestUs: 3,
  } as const;
  expect(state.sensors.episodes.heading(slot, ahead, { ...last, id: 2 }, 6500)).toBe("opened");
  return { state, slot };
}

test("early alerts, and what they follow from, are part of the saved state", () => {
  const { state, slot } = headed();
  const restored = new Sensors(createDetector());
  const saved = state.sensors.save(0, 5, undefined);
  restored.load(0, 5, Uint8Array.from(saved), { layout: CHUNK_LAYOUT, stateVersion: restored.detector.stateVersion });
  expect(restored.episodes.open(slot)).toEqual(state.sensors.episodes.open(slot));
  expect(restored.episodes.open(slot)).toMatchObject([
    { id: 1, limit: { setting: "range_max", limit: 60, end: "away" } },
  ]);
  expect(restored.outlooks.save(0, 1)).toEqual(state.sensors.outlooks.save(0, 1));
  expect(restored.outlooks.save(0, 1).length).toBeGreaterThan(0);
  restored.remove("boiler-1", { offset: 6, tick: 6 });
  expect(restored.outlooks.save(0, 1).length).toBe(0);
  expect(restored.episodes.early(slot, "range_max")).toBeUndefined();
});

test("what is saved of a sensor that has limits is paid for by as many readings more as it is larger", () => {
  const readingsUntilSaved = (rangeMax: number | undefined) => {
    const state = new PartitionState(createDetector());
    if (rangeMax !== undefined) state.sensors.detector.configure("temperature", { rangeMax }, true);
    const slot = state.sensors.add("boiler-1", "temperature", "C");
    state.sensors.touch(slot, state.at(0));
    state.sensors.outlooks.reading(slot, START, 58, 1);
    state.next = 1;
    for (let readings = 1; ; readings++) if (state.chunksToSave(1).length > 0) return readings;
  };
  const bytes = new PartitionState(createDetector()).sensors.outlooks.bytesPerSensor;
  const more = readingsUntilSaved(60) - readingsUntilSaved(undefined);
  expect(Math.abs(more - bytes / 32)).toBeLessThanOrEqual(1);
});

test("a sensor whose time ahead was changed is due of a look after a restart where it is without one", () => {
  const { state, slot } = headed();
  const { outlooks, detector } = state.sensors;
  const end = START + DAY * MINUTE_US;
  const id = idOf(firstTick(0, end), 0);
  outlooks.reading(slot, end, 58, id);
  expect(outlooks.due(end + DAY * MINUTE_US)).toEqual([slot]);
  detector.configure("temperature", { ...LIMITS, earlyAlertHours: 6 }, true);
  outlooks.reading(slot, end + 1, 58, id);
  const restored = new Sensors(createDetector());
  const saved = Uint8Array.from(state.sensors.save(0, 5, undefined));
  restored.load(0, 5, saved, { layout: CHUNK_LAYOUT, stateVersion: restored.detector.stateVersion });
  expect(restored.outlooks.due(end + DAY * MINUTE_US)).toEqual(outlooks.due(end + DAY * MINUTE_US));
});

test("a label of an early alert moves no threshold", () => {
  const { state } = headed();
  const before = state.sensors.detector.saveChunk(0);
  const label = (detector: string) => {
    const value = { alertId: 1n, sensorId: "boiler-1", correct: false, detector };
    applyControl(create(ControlSchema, { id: "1", action: { case: "label", value } }), state, 0);
    return state.sensors.detector.saveChunk(0);
  };
  expect(label(REASONS[REASON_LIMIT_AHEAD]!)).toEqual(before);
  expect(label("value record")).not.toEqual(before);
});
