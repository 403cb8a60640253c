/** What a chart shows as a CSV file: times in UTC, numbers as they are, nothing where there is nothing. */
import type { ChartData } from "./series.ts";

const OF_READINGS = ["time", "sensor_id", "unit", "value"];
const OF_COLUMNS = ["from", "sensor_id", "unit", "seconds", "readings", "min", "max", "last"];
const OF_BOTH = ["expected", "lower", "upper", "anomalies", "score"];

export function csvOf(sensorId: string, data: ChartData): string {
  const { raw, unit, columnMs } = data;
  const lines = data.times.map((time, i) => {
    const start = [instantText(time - columnMs / 2), sensorId, unit];
    const own = raw ? [data.last[i]] : [columnMs / 1_000, data.counts[i], data.low[i], data.high[i], data.last[i]];
    const shared = [data.expected[i], data.lower[i], data.upper[i], data.anomalies[i], data.scores[i]];
    return [...start, ...own, ...shared].map(field).join(",");
  });
  return [[...(raw ? OF_READINGS : OF_COLUMNS), ...OF_BOTH].join(","), ...lines, ""].join("\n");
}

/** With the microseconds that a Date would lose, where there are any. */
function instantText(ms: number): string {
  const us = Math.round(ms * 1_000);
  const whole = Math.floor(us / 1_000);
  const rest = us - whole * 1_000;
  const text = new Date(whole).toISOString();
  return rest === 0 ? text : text.replace("Z", `${String(rest).padStart(3, "0")}Z`);
}

function field(value: string | number | null | undefined): string {
  const text = value == null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A name that every file system takes. */
export function fileNameOf(sensorId: string): string {
  return `${sensorId.replaceAll(/[^\w.-]+/g, "_").replace(/^\.+/, "")}.csv`;
}
