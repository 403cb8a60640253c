/** Backtests: replays of the stored sensors one after another, with the results as responses of the contract. */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { counted } from "../../formats/counted.ts";
import {
  BacktestPictureSchema,
  BacktestResponseSchema,
  BacktestSummarySchema,
  DetectorConfigSchema,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ScoredReading } from "../../gen/es/telltale/v1/reading_pb.ts";
import { AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import type { Detector } from "../detect/index.ts";
import { TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { toTimestamp } from "../lib/time.ts";
import { toAlert } from "../scoring/alert.ts";
import type { Rows } from "../scoring/rows.ts";
import { toScored } from "../scoring/scored.ts";
import type { AlertRow } from "../store/store.ts";
import type { HistorySource, SensorSpan, StoredAlert } from "./history.ts";
import { type KnownEvent, MAX_PICTURES, MAX_READINGS, MAX_SENSORS, type RangeJob } from "./jobs.ts";
import { PictureColumns } from "./picture.ts";
import { SensorReplay } from "./replay.ts";
import { rerun } from "./rerun.ts";
import { StoredVerdicts } from "./stored.ts";
import { addSensor, noTotals, type Totals } from "./summary.ts";
import type { Timeline } from "./timeline.ts";
import { withConfig } from "./tried.ts";

/** Readings in one response: below the 4 MiB that a client takes by default, also with the longest texts. */
const RESPONSE_READINGS = 2_000;
/** Alerts in one response. */
const RESPONSE_ALERTS = 1_000;

export interface RangeOptions {
  readonly history: HistorySource;
  readonly job: RangeJob;
  /** A fresh detector, with the job's threshold. */
  readonly createDetector: () => Detector;
  /** Takes a `BacktestResponse` in binary form; the promise is the backpressure. */
  readonly respond: (bytes: Uint8Array) => Promise<void>;
  /** Hears at the end what the summary is made of, for whoever adds up several runs. */
  readonly onSums?: (sums: Progress, ticks: number) => void;
}

export interface Progress {
  done: number;
  readonly total: number;
  readonly totals: Totals;
  changed: number;
  truncated: number;
}

/** Throws TelltaleError "invalid" where the sensors are not there or too much is asked for. */
export async function runRange(o: RangeOptions): Promise<void> {
  const { job, history } = o;
  const sensors = await history.sensors(job.sensorIds, MAX_SENSORS);
  check(job, sensors);
  const total = sensors.reduce((n, s) => n + s.readings, 0);
  const progress: Progress = { done: 0, total, totals: noTotals(), changed: 0, truncated: 0 };
  await respond(o, progress, {});
  const config = job.config === undefined ? undefined : fromBinary(DetectorConfigSchema, job.config);
  const places = config === undefined || config.asset === "" ? undefined : await history.places?.(sensors);
  let partition = -1;
  let timeline: Timeline | undefined;
  let ticks = 0;
  for (const sensor of sensors) {
    // Sensors come by partition: the timeline of one are in memory at a time.
    if (sensor.partition !== partition) {
      partition = sensor.partition;
      const logged = await history.timeline(partition);
      ticks += logged.ticks.length;
      timeline = config === undefined ? logged : withConfig(logged, config, places);
    }
    await runSensor(o, sensor, timeline!, progress);
  }
  o.onSums?.(progress, ticks);
  await respond(o, progress, { summary: summary(job, progress, ticks) });
}

function check(job: RangeJob, sensors: readonly SensorSpan[]): void {
  const found = new Set(sensors.map((s) => s.sensorId));
  const missing = job.sensorIds.find((id) => !found.has(id));
  if (missing !== undefined) throw new TelltaleError("invalid", `sensor_ids: sensor ${quoted(missing)} has no reading`);
  if (sensors.length > MAX_SENSORS) {
    throw new TelltaleError("invalid", `sensor_ids: there are more than ${MAX_SENSORS} sensors: name those to replay`);
  }
  const readings = sensors.reduce((n, s) => n + s.readings, 0);
  if (readings > MAX_READINGS) {
    const all = `the ${sensors.length} sensors have ${readings} readings`;
    throw new TelltaleError("invalid", `sensor_ids: ${all}: name sensors with at most ${MAX_READINGS} together`);
  }
  if (job.pictureColumns > 0 && sensors.length > MAX_PICTURES) {
    throw new TelltaleError(
      "invalid",
      `picture_columns: pictures are made of up to ${MAX_PICTURES} sensors, and these are ${sensors.length}: name fewer in sensor_ids`,
    );
  }
}

async function runSensor(o: RangeOptions, sensor: SensorSpan, timeline: Timeline, progress: Progress) {
  const { job, history } = o;
  const fromUs = Math.max(job.fromUs, sensor.firstUs);
  const endUs = Math.min(job.toUs, sensor.newestUs);
  const stored = new StoredVerdicts(job.fromUs, job.toUs);
  const picture = job.pictureColumns > 0 ? new PictureColumns(fromUs, endUs, job.pictureColumns) : undefined;
  const alerts = new Map<number, AlertRow>();
  let notifications = 0;
  const inRange = (us: number) => us >= job.fromUs && us <= job.toUs;
  const readings: ScoredReading[] = [];
  const replay = new SensorReplay({
    detector: o.createDetector(),
    ...{ partition: sensor.partition, sensorId: sensor.sensorId },
    receivedUsOf: history.receivedUsOf?.bind(history),
    onRows: (rows) => {
      stored.take(rows);
      if (picture !== undefined) draw(picture, rows);
      if (job.includeReadings) collect(readings, rows, inRange, replay.modelVersion);
    },
    onAlert: (alert, transition) => {
      if (!inRange(alert.openedUs)) return;
      alerts.set(alert.id, alert);
      if (transition === AlertEventType.OPENED || transition === AlertEventType.RAISED) notifications++;
    },
  });
  const send = async (all: boolean) => {
    while (readings.length >= (all ? 1 : RESPONSE_READINGS)) {
      await respond(o, progress, { readings: readings.splice(0, RESPONSE_READINGS) });
    }
  };
  const before = progress.done;
  await rerun(replay, stored.watch(history.pages(sensor, 0, sensor.newestUs)), timeline, {
    until: (points, i) => points.timeUs[i]! > job.toUs,
    progress: async (count) => {
      progress.done += count;
      await send(false);
      await respond(o, progress, {});
    },
  });
  replay.flush();
  await send(true);
  progress.done = before + sensor.readings;
  if (!history.unscored) progress.changed += stored.changed;
  // What is stored no longer begins with the sensor's first reading.
  if (stored.firstUs > sensor.firstUs) progress.truncated++;
  const known = await history.alerts(sensor.sensorId, job.fromUs, job.toUs);
  const events = knownEvents(job.events, sensor.sensorId, known);
  const found = [...alerts.values()];
  addSensor(progress.totals, {
    alerts: found,
    notifications,
    stored: known,
    events,
    mistakes: known.filter((a) => a.label === false),
    eventsComplete: job.events.length > 0,
    spanUs: Math.max(0, endUs - fromUs),
    endUs,
  });
  for (let i = 0; i < found.length; i += RESPONSE_ALERTS) {
    await respond(o, progress, { alerts: found.slice(i, i + RESPONSE_ALERTS).map(toAlert) });
  }
  if (picture !== undefined) await respond(o, progress, { picture: pictureOf(sensor, picture, events) });
}

/** Events of the request within the range, and stored alerts that a person called right. */
function knownEvents(asked: readonly KnownEvent[], sensorId: string, alerts: readonly StoredAlert[]): KnownEvent[] {
  return [
    ...asked.filter((e) => e.sensorId === sensorId),
    ...alerts.filter((a) => a.label === true).map(({ fromUs, untilUs }) => ({ sensorId, fromUs, untilUs })),
  ];
}

function draw(picture: PictureColumns, { points: p }: Rows): void {
  for (let i = 0; i < p.length; i++) picture.add(p.timeUs[i]!, p.value[i]!, p.expected[i]!, p.band[i]!);
}

function collect(to: ScoredReading[], rows: Rows, inRange: (us: number) => boolean, version: string): void {
  for (let i = 0; i < rows.points.length; i++) {
    if (inRange(rows.points.timeUs[i]!)) to.push(toScored(rows, i, version));
  }
}

function pictureOf({ sensorId, series }: SensorSpan, picture: PictureColumns, events: readonly KnownEvent[]) {
  const { timesUs, ...columns } = picture.columns();
  const labels = events.map((e) => ({
    sensorId,
    startTime: toTimestamp(e.fromUs),
    endTime: toTimestamp(e.untilUs),
  }));
  const unit = series.at(-1)!.unit;
  return create(BacktestPictureSchema, { sensorId, unit, times: timesUs.map(toTimestamp), ...columns, labels });
}

export function summary(job: RangeJob, { totals: t, changed, truncated, done }: Progress, ticks: number) {
  const judged = t.right + t.wrong;
  return create(BacktestSummarySchema, {
    alerts: BigInt(t.alerts),
    alertSeconds: t.alertSeconds,
    alertsPerSensorDay: t.sensorDays > 0 ? t.alerts / t.sensorDays : 0,
    labelsMet: BigInt(t.labelsMet),
    labelsTotal: BigInt(t.labelsTotal),
    notifications: BigInt(t.notifications),
    longestAlertSeconds: t.longestSeconds,
    sensors: BigInt(t.sensors),
    alertsRight: BigInt(t.right),
    alertsWrong: BigInt(t.wrong),
    ...(judged > 0 ? { precision: t.right / judged } : {}),
    alertsStored: BigInt(t.stored),
    alertsAvoided: BigInt(t.avoided),
    alertsAdded: BigInt(t.added),
    readingsChanged: BigInt(changed),
    notes: notes(job, truncated, changed, done, ticks),
  });
}

function notes(job: RangeJob, truncated: number, changed: number, done: number, ticks: number): string[] {
  const found: string[] = [];
  if (truncated > 0) {
    found.push(
      `Of ${counted(truncated, "sensor")} the oldest readings have been deleted: they are replayed from the first that is kept, as if new.`,
    );
  }
  if (ticks === 0 && done > 0) found.push("Silence is not replayed: the log's ticks of the time are not stored.");
  if (changed > 0 && job.config === undefined && job.threshold === undefined) {
    found.push(
      `${counted(changed, "reading", ["differs", "differ"])} from what is stored: the platform's model, threshold or alarm budget was different, or the history is incomplete.`,
    );
  }
  return found;
}

async function respond(o: RangeOptions, p: Progress, more: MessageInitShape<typeof BacktestResponseSchema>) {
  const response = create(BacktestResponseSchema, {
    readingsDone: BigInt(p.done),
    readingsTotal: BigInt(p.total),
    ...more,
  });
  await o.respond(toBinary(BacktestResponseSchema, response));
}
