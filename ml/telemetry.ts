import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSeries } from "./series.ts";

/** Spacecraft telemetry with labelled events: event recall at fixed budgets of false alarms, one threshold for all channels. */
export interface Channel {
  readonly name: string;
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  /** Event of each row, -1 outside; of overlapping events the first owns the row. */
  readonly event: Int32Array;
  readonly events: number;
  /** Rows before this are normal and not scored. */
  readonly start: number;
}

/** False alarms per 10,000 readings at which recall is told. */
export const BUDGETS: readonly number[] = [1, 2, 5];

interface Label {
  readonly events: readonly [number, number][];
  readonly readings: number;
  readonly train_readings: number;
}

export function loadTelemetry(folder: string): Channel[] {
  const labels: Record<string, Label> = JSON.parse(readFileSync(join(folder, "labels.json"), "utf8"));
  return Object.keys(labels)
    .sort()
    .map((name) => {
      const label = labels[name]!;
      const { timeUs, value } = parseSeries(readFileSync(join(folder, `${name}.csv`), "utf8"));
      const event = new Int32Array(value.length).fill(-1);
      label.events.forEach(([first, last], k) => {
        for (let i = first; i <= last; i++) if (event[i]! < 0) event[i] = k;
      });
      return { name, timeUs, value, event, events: label.events.length, start: label.train_readings };
    });
}

export interface TelemetryResult {
  /** Event recall at each of BUDGETS, and the threshold that gives it. */
  readonly recall: readonly number[];
  readonly threshold: readonly number[];
}

export function scoreTelemetry(channels: readonly Channel[], signals: readonly ArrayLike<number>[]): TelemetryResult {
  const alarms: { signal: number; event: number }[] = [];
  let events = 0;
  let readings = 0;
  channels.forEach((channel, k) => {
    for (let i = channel.start; i < channel.event.length; i++) {
      const event = channel.event[i]!;
      if (signals[k]![i]! > 0) alarms.push({ signal: signals[k]![i]!, event: event < 0 ? -1 : events + event });
    }
    events += channel.events;
    readings += channel.event.length - channel.start;
  });
  alarms.sort((a, b) => b.signal - a.signal);
  const recall = new Array<number>(BUDGETS.length).fill(0);
  const threshold = new Array<number>(BUDGETS.length).fill(Number.POSITIVE_INFINITY);
  const hit = new Set<number>();
  let falseAlarms = 0;
  for (let i = 0; i < alarms.length; i++) {
    if (alarms[i]!.event >= 0) hit.add(alarms[i]!.event);
    else falseAlarms++;
    if (i + 1 < alarms.length && alarms[i + 1]!.signal === alarms[i]!.signal) continue;
    BUDGETS.forEach((budget, b) => {
      if (falseAlarms > (budget * readings) / 10000) return;
      recall[b] = hit.size / events;
      threshold[b] = alarms[i]!.signal;
    });
  }
  return { recall, threshold };
}
