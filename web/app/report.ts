/** A fleet report as a page shows it. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { type DriftPoint, type FleetReport, Verdict } from "../../gen/web/telltale/v1/report_pb.ts";
import { msOf } from "./format.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const DAYS = ["7", "1", "31"] as const;

/** The range of whole hours that an address asks for: so many days up to `until`, or to now. */
export function reportSpan(days: number, until: string, nowMs: number): { readonly from: number; readonly to: number } {
  const asked = Date.parse(until);
  const end = Number.isNaN(asked) ? nowMs : Math.min(asked, nowMs);
  const to = Math.ceil(end / HOUR_MS) * HOUR_MS;
  return { from: to - days * DAY_MS, to };
}

export function verdictOf(verdict: Verdict): { readonly tone: "ok" | "warn" | "bad"; readonly text: string } {
  if (verdict === Verdict.BAD) return { tone: "bad", text: "outside" };
  return verdict === Verdict.BORDERLINE ? { tone: "warn", text: "borderline" } : { tone: "ok", text: "within" };
}

/** Counts of ten minutes, added up to hours where the range is long: a bar has to be seen. */
export function alarmBars({ alarmsPerTenMinutes }: FleetReport): { readonly values: number[]; readonly what: string } {
  const isLong = alarmsPerTenMinutes.length > 2 * 144;
  const each = isLong ? 6 : 1;
  const values = Array.from({ length: Math.ceil(alarmsPerTenMinutes.length / each) }, (_, index) =>
    alarmsPerTenMinutes.slice(index * each, (index + 1) * each).reduce((a, b) => a + b, 0),
  );
  return { values, what: isLong ? "hour" : "ten minutes" };
}

/** In the order of `sensors_by_availability`. */
export const AVAILABILITIES = ["100 %", "99 % and more", "95 %", "90 %", "50 %", "above 0", "none"] as const;
/** In the order of `alarms_by_severity`. */
export const LEVELS = ["low", "medium", "high", "critical"] as const;

/** Points of a line in a box of 100 by 24; empty where there is nothing to draw. */
export function sparkOf(points: readonly DriftPoint[]): string {
  const known = points.flatMap(({ startTime, mean }) =>
    startTime === undefined ? [] : [[ms(startTime), mean] as const],
  );
  if (known.length < 2) return "";
  const [first, last] = [known[0]![0], known.at(-1)![0]];
  const values = known.map(([, mean]) => mean);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (at: number) => (100 * (at - first)) / (last - first || 1);
  const y = (value: number) => 22 - (20 * (value - low)) / (high - low || 1);
  return known.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
}

const ms = (time: Timestamp) => msOf(time);
