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
