/** What a backtest finds in stored history is what the live path found, to the bit. */

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DetectorConfigSchema, Direction } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { History, type SensorSpan } from "../../server/backtest/history.ts";
import { SensorReplay } from "../../server/backtest/replay.ts";
import { rerun } from "../../server/backtest/rerun.ts";
import { createDetector } from "../../server/detect/index.ts";
import { startMaintenance } from "../../server/store/maintenance.ts";
import { MARK_LATE } from "../../server/store/points.ts";
import type { AlertRow } from "../../server/store/store.ts";
import { controlOf, recordOf, type SentReading, TestPartition, tickOf } from "../../testing/partition.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Random } from "../../testing/random.ts";

const START = Date.UTC(2026, 0, 5) * 1000;
const HOURS = 20;
const time = (second: number) => ({ seconds: BigInt(START / 1e6 + second), nanos: 0 });
let postgres: TestPostgres;

beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

/** What a small plant sends in [from, to) minutes: noise, jumps, late and doubled readings, silence, readings without a time. */
function* plant(random: Random, from: number, to: number): Generator<Uint8Array> {
  for (let minute = from; minute < to; minute++) {
    const readings: SentReading[] = [];
    for (let s = 0; s < 13; s++) {
      if (s === 7 && minute % 400 > 320) continue;
      if (s === 12) {
        // Heads for its limit for hours, crosses it, and is repaired.
        const drift = minute > 700 && minute < 1000 ? (minute - 700) / 8 : 0;
        readings.push({ sensor: "s12", value: 20 + drift + random.next(), at: minute * 60 + 12 });
        continue;
      }
      const jump = s % 4 === 3 && minute % 197 > 190 ? 40 : 0;
      const value = Math.round((20 + 3 * Math.sin(minute / 60) + jump + random.next()) * 100) / 100;
      const late = s === 5 && random.next() < 0.1 ? -90 : 0;
      const held = s >= 10;
      const at = s === 2 ? {} : { at: minute * 60 + s + late + (held ? random.between(-4, 4) : 0) };
      const location = s === 1 && minute >= 600 ? "hall 2" : `hall ${s % 3}`;
      readings.push({ sensor: `s${s}`, value, location, type: held ? "held" : `type ${s % 2}`, ...at });
      if (random.next() < 0.02) readings.push({ ...readings.at(-1)!, value: value + random.between(0, 1) });
    }
    yield recordOf(
      START,
      minute * 60 + 12 + random.next(),
      readings.filter((_, i) => i % 2 === 0),
    );
    yield recordOf(
      START,
      minute * 60 + 14 + random.next(),
      readings.filter((_, i) => i % 2 === 1),
    );
    // Where a sensor falls silent, no further apart than the time records of a log that runs; elsewhere the log stands still each minute.
    const apart = minute % 400 > 290 && minute % 400 < 340 ? 3 : 30;
    for (let second = 0; second < 60; second += apart) yield tickOf(START, minute * 60 + second + 16.123457);
  }
}

/** An offset that changes in the middle of the story. */
const ZONE = { firstOffset: 3600, changeAt: [BigInt(Math.floor(START / 1e6) + 200 * 60)], changeTo: [5400] };

/** Logs a story with crashes in it, and people in the middle of it. */
async function live(seed: number): Promise<TestPartition> {
  const partition = await TestPartition.open(postgres.url, `backtest_${seed}`);
  const random = new Random(seed);
  const go = async (from: number, to: number) => {
    const records = [...plant(random, from, to)];
    for (let i = 0; i < records.length; ) {
      const n = random.between(1, 400);
      await partition.append(records.slice(i, i + n), random.between(1, 30));
      i += n;
      await partition.crash();
    }
  };
  const act = (minute: number, action: Parameters<typeof controlOf>[2], rules?: Parameters<typeof controlOf>[3]) =>
    partition.append([controlOf(START, minute * 60, action, rules)]);
  // No machine knows such a zone: what the log says of it counts.
  await act(0, { case: "platform", value: { timeZone: "Mars/Olympus" } }, ZONE);
  await act(0, { case: "config", value: { sensorType: "held", reorderHoldMs: 9000 } });
  // Before its first reading.
  await act(0, { case: "settings", value: { sensorId: "s5", reorderHoldMs: 4000, rangeMax: 45 } });
  await act(0, { case: "settings", value: { sensorId: "s12", rangeMax: 45, earlyAlertHours: 1 } });
  const place = (minute: number, placed: Readonly<Record<string, string[]>>) =>
    act(minute, {
      case: "placeSensors",
      value: { placed: Object.entries(placed).map(([asset, sensorIds]) => ({ asset, sensorIds })) },
    });
  const ofAsset = (minute: number, config: MessageInitShape<typeof DetectorConfigSchema>, firstOffset?: number) =>
    act(minute, { case: "assetSettings", value: { config } }, firstOffset === undefined ? undefined : { firstOffset });
  await place(0, { "site/hall": ["s6", "s8"], "site/yard": ["s10"] });
  await ofAsset(0, { asset: "site", timeZone: "Mars/Valles", rangeMax: 58 }, 9000);
  await ofAsset(0, { asset: "site/yard", reorderHoldMs: 5000 });
  await go(0, 300);
  await act(300, { case: "config", value: { alarmsPerSensorDay: 1, rangeMax: 60 } });
  await act(300, { case: "settings", value: { sensorType: "type 0", alarmsPerSensorDay: 3, silenceSeconds: 900 } });
  await act(300, { case: "settings", value: { sensorId: "s3", direction: Direction.LOW } });
  const [open] = await partition.sql`select * from alert where state <> 1 order by id limit 1`;
  const label = { alertId: BigInt(open!.id), sensorId: open!.sensor_id };
  await act(300, { case: "label", value: { ...label, correct: false, comment: "a test of the valve" } });
  const hall = { id: "w1", location: "hall 0", startTime: time(360 * 60), endTime: time(420 * 60) };
  await act(300, { case: "maintenance", value: hall });
  await place(300, { "site/yard": ["s6"], "": ["s8"], elsewhere: ["s0"] });
  await ofAsset(300, { asset: "elsewhere", direction: Direction.HIGH });
  await go(300, 390);
  await act(390, { case: "endMaintenance", value: { windowId: "w1" } });
  await act(390, { case: "maintenance", value: { id: "w2", sensorId: "s4", startTime: time(0), endTime: time(9e5) } });
  await act(390, { case: "settings", value: { sensorId: "s11", off: true } });
  await act(390, { case: "settings", value: { sensorId: "s2", timeZone: "Mars/Utopia" } }, { firstOffset: -7200 });
  await go(390, 585);
  for (const row of await partition.sql`select * from alert where state = 1`) {
    await act(585, { case: "resolve", value: { alertId: BigInt(row.id), sensorId: row.sensor_id } });
  }
  await act(585, { case: "label", value: { ...label, correct: true } });
  for (const sensorId of ["s11", "s5"]) await act(585, { case: "settings", value: { sensorId } });
  await place(586, { "site/hall": ["s10"] });
  await ofAsset(586, { asset: "site" });
  await act(586, { case: "config", value: { sensorType: "type 1", silenceSeconds: 200 } });
  await go(586, HOURS * 60);
  return partition;
}

type Row = readonly (number | string | undefined)[];

/** A sensor's readings and alerts, as they are stored and as they are found again. */
async function both(partition: TestPartition, history: History, sensor: SensorSpan) {
  const stored: Row[] = [];
  const again: Row[] = [];
  const alerts = new Map<number, AlertRow>();
  const line = (p: Parameters<typeof point>[0], i: number) => point(p, i);
  for await (const page of history.pages(sensor, 0, 9e15)) {
    for (let i = 0; i < page.points.length; i++) {
      if ((page.points.mark[i]! & MARK_LATE) === 0) stored.push(line(page.points, i));
    }
  }
  const replay = new SensorReplay({
    detector: createDetector(),
    partition: sensor.partition,
    onRows: ({ points }) => {
      for (let i = 0; i < points.length; i++) again.push(line(points, i));
    },
    onAlert: (alert) => alerts.set(alert.id, alert),
  });
  await rerun(replay, history.pages(sensor, 0, 9e15), await history.timeline(sensor.partition));
  const storedAlerts = await partition.sql`
    select id, message, severity, score, value, threshold, opened_us, last_seen_us, closed_us, resolved_by, state, readings,
      detector, confidence, expected from alert where sensor_id = ${sensor.sensorId} order by id`;
  const againAlerts = [...alerts.values()].sort((a, b) => a.id - b.id);
  return { stored, again, storedAlerts: storedAlerts.map(Object.values), againAlerts: againAlerts.map(columns) };
}

const columns = (a: AlertRow) => [
  ...[a.id, a.message, a.severity, a.score, a.value, a.threshold, a.openedUs, a.lastSeenUs, a.closedUs, a.resolvedBy],
  ...[a.state, a.readings, a.detector, a.confidence, a.expected],
];

function point(p: import("../../server/store/points.ts").Points, i: number): Row {
  const verdict = [p.confidence[i], p.score[i], p.anomaly[i], p.anomaly[i] ? p.reason[i] : 0];
  return [p.timeUs[i], p.id[i], p.value[i], ...verdict, String(p.expected[i]), String(p.band[i])];
}

test("a history with crashes, late and held readings, silence, early alerts, other settings, windows, labels and closed alerts is found again to the bit", async () => {
  const partition = await live(1);
  const history = new History(partition.sql);
  const compare = async () => {
    let alerts = 0;
    let silences = 0;
    let early = 0;
    for (const sensor of await history.sensors([], 100)) {
      const { stored, again, storedAlerts, againAlerts } = await both(partition, history, sensor);
      expect(again, sensor.sensorId).toEqual(stored);
      expect(againAlerts, sensor.sensorId).toEqual(storedAlerts);
      alerts += againAlerts.length;
      silences += againAlerts.filter((a) => a[12] === "silence").length;
      early += againAlerts.filter((a) => a[12] === "limit ahead").length;
    }
    expect(alerts).toBeGreaterThan(10);
    expect(silences).toBeGreaterThan(1);
    expect(early).toBeGreaterThan(0);
  };
  await compare();
  await compareLines(partition, history);
  // Compacted, the history is the same.
  const maintenance = startMaintenance({
    sql: partition.url,
    logger: pino({ level: "silent" }),
    retentionDays: 0,
    manual: true,
  });
  await maintenance.compactNow();
  await maintenance.close();
  await compare();
  await partition.close();
}, 240_000);

/** A plain process with the lines of a history on its standard input says what is stored. */
async function compareLines(partition: TestPartition, history: History): Promise<void> {
  const { controls, ticks } = await history.timeline(0);
  const folder = await mkdtemp(join(tmpdir(), "telltale-lines-"));
  const file = join(folder, "timeline.jsonl");
  const act = ({ control, ...at }: (typeof controls)[number]) => ({
    ...{ partition: 0, ...at },
    control: Buffer.from(toBinary(ControlSchema, control)).toString("base64"),
  });
  const tick = (i: number) => ({ partition: 0, tick: ticks.tick(i), receivedUs: ticks.receivedUs(i) });
  const timeline = [...controls.map(act), ...Array.from({ length: ticks.length }, (_, i) => tick(i))];
  await writeFile(file, timeline.map((each) => `${JSON.stringify(each)}\n`).join(""));
  let input = "";
  const wanted: string[] = [];
  for (const sensor of await history.sensors([], 100)) {
    for await (const { points: p, series } of history.pages(sensor, 0, 9e15)) {
      for (let i = 0; i < p.length; i++) {
        const s = series[i]!;
        const cells = [
          s.sensorId,
          p.id[i],
          p.timeUs[i],
          p.value[i],
          s.sensorType,
          s.unit,
          s.location ?? "\\N",
          p.mark[i],
        ];
        input += `${cells.join("\t")}\n`;
        if ((p.mark[i]! & MARK_LATE) !== 0) continue;
        wanted.push([s.sensorId, p.id[i], p.confidence[i], p.score[i], p.anomaly[i], p.expected[i]].join());
      }
    }
  }
  const child = spawn(process.execPath, ["server/backtest/rescore.ts", JSON.stringify({ timeline: file })]);
  child.stdin.end(input);
  const output = await text(child.stdout);
  await rm(folder, { recursive: true });
  const lines = output.split("\n").map((line) => line.split("\t"));
  const found = lines
    .filter(([kind]) => kind === "R")
    .map((c) => [c[1], c[2], c[5], c[6], c[7], c[9] === "\\N" ? "NaN" : c[9]]);
  expect(found.map((c) => c.join())).toEqual(wanted);
  const alerts = lines.filter(([kind]) => kind === "A").map((c) => Number(c[2]));
  expect(alerts.sort((a, b) => a - b)).toEqual(
    (await partition.sql`select id from alert order by id`).map((r) => r.id),
  );
}
