import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { HandlerContext } from "@connectrpc/connect";
import {
  type BacktestRequest,
  type BacktestResponse,
  BacktestResponseSchema,
  type DetectorConfig,
  DetectorConfigSchema,
  type LabelledEvent,
} from "../../gen/es/telltale/v1/detector_pb.ts";
import type { KnownEvent } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import { LEAST_EARLY_ALERT_HOURS } from "../detect/index.ts";
import { quoted } from "../lib/quoted.ts";
import { isTimeZone } from "../lib/time-zone.ts";
import { assetFault } from "../registry/profile.ts";
import { invalid, timeOf } from "./query.ts";

/** Backtests run in threads of their own; here they are only checked and passed on. */
export function createBacktest(runner: BacktestRunner) {
  return async function* backtest(r: BacktestRequest, { signal }: HandlerContext): AsyncGenerator<BacktestResponse> {
    const fromUs = timeOf("start_time", r.startTime, 0);
    const toUs = timeOf("end_time", r.endTime, Number.POSITIVE_INFINITY);
    if (toUs < fromUs) throw invalid("end_time", "the range ends before it begins: give a later end");
    if (r.config !== undefined) checkConfig(r.config);
    const responses = runner.range(
      {
        kind: "range",
        sensorIds: [...new Set(r.sensorIds)],
        fromUs,
        toUs,
        config: r.config === undefined ? undefined : toBinary(DetectorConfigSchema, r.config),
        threshold: r.accuracyThreshold,
        events: r.labels.map(eventOf),
        includeReadings: r.includeReadings,
        pictureColumns: r.pictureColumns,
      },
      signal,
    );
    for await (const bytes of responses) yield fromBinary(BacktestResponseSchema, bytes);
    signal.throwIfAborted();
  };
}

/** Throws TelltaleError "invalid" where two of sensor, asset and type are named, or settings contradict each other. */
export function checkConfig(config: DetectorConfig): void {
  checkScope(config, "config.");
  const { rangeMin, rangeMax, timeZone, holidays, earlyAlertHours = 0 } = config;
  if (earlyAlertHours > 0 && earlyAlertHours < LEAST_EARLY_ALERT_HOURS) {
    throw invalid(
      "config.early_alert_hours",
      `${earlyAlertHours} is too short to act in: give ${LEAST_EARLY_ALERT_HOURS} or more, or 0 for no early alerts`,
    );
  }
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    throw invalid("config.time_zone", `${quoted(timeZone)} is no time zone: give a name such as "Europe/Berlin"`);
  }
  const bad = holidays?.dates.find((date) => !isDate(date));
  if (bad !== undefined) throw invalid("config.holidays.dates", `${quoted(bad)} is no date: give it as YYYY-MM-DD`);
  if (rangeMin === undefined || rangeMax === undefined || rangeMin < rangeMax) return;
  throw invalid("config.range_min", `${rangeMin} is not below range_max ${rangeMax}`);
}

/** Whether the calendar has such a day: 30 February is none. */
function isDate(date: string): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(date);
}

/** What settings are of: a sensor, an asset, a type, or with none of them all types. */
export type Scope = Pick<DetectorConfig, "sensorId" | "asset" | "sensorType">;

/** Throws TelltaleError "invalid" where two of sensor, asset and type are named, or the asset is no path; `path` is that of the message. */
export function checkScope({ sensorId, asset, sensorType }: Scope, path: string): void {
  const named = [
    ["sensor_id", sensorId],
    ["asset", asset],
    ["sensor_type", sensorType],
  ].filter(([, value]) => value !== "");
  if (named.length > 1) {
    const [[first, value], [second, other]] = named as [[string, string], [string, string]];
    const both = `it is ${quoted(value)}, and ${second} is ${quoted(other)}`;
    throw invalid(`${path}${first}`, `${both}: give a sensor, an asset or a type, not both`);
  }
  const fault = assetFault(asset);
  if (fault !== undefined) throw invalid(`${path}asset`, `it is ${quoted(asset)}: ${fault}`);
}

function eventOf({ sensorId, startTime, endTime }: LabelledEvent, i: number): KnownEvent {
  const fromUs = timeOf(`labels[${i}].start_time`, startTime, 0);
  const untilUs = timeOf(`labels[${i}].end_time`, endTime, 0);
  if (untilUs < fromUs) throw invalid(`labels[${i}].end_time`, "the event ends before it begins: give a later end");
  return { sensorId, fromUs, untilUs };
}
