/** Sensors of plants with known faults: sensors.json, and of each sensor NAME.csv and NAME.labels.csv (sensor_id,start,end,fault,note). */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseSeries, parseTime } from "./series.ts";

export interface PlantSensor {
  readonly name: string;
  readonly kind: string;
  readonly faulty: boolean;
  readonly intervalUs: number;
  readonly timeUs: Float64Array;
  readonly value: Float64Array;
  readonly faults: readonly PlantFault[];
}

/** A labelled stretch: `untilUs` is the first normal reading. */
export interface PlantFault {
  readonly fault: string;
  readonly fromUs: number;
  readonly untilUs: number;
}

interface Entry {
  readonly name: string;
  readonly kind: string;
  readonly faulty: boolean;
  readonly interval_s: number;
}

export function loadPlants(folder: string): PlantSensor[] {
  const entries: Entry[] = JSON.parse(readFileSync(join(folder, "sensors.json"), "utf8"));
  return entries.map(({ name, kind, faulty, interval_s }) => {
    const { timeUs, value } = parseSeries(readFileSync(join(folder, `${name}.csv`), "utf8"));
    const labels = join(folder, `${name}.labels.csv`);
    if (!existsSync(labels)) throw new Error(`${labels} is missing: sensors.json names ${name}`);
    return { name, kind, faulty, intervalUs: interval_s * 1e6, timeUs, value, faults: parseFaults(labels) };
  });
}

function parseFaults(file: string): PlantFault[] {
  const rows = readFileSync(file, "utf8").trimEnd().split("\n").slice(1);
  return rows.map((row) => {
    const [, start, end, fault] = row.split(",");
    return { fault: fault!, fromUs: parseTime(start!), untilUs: parseTime(end!) };
  });
}
