/** Words and numbers as they may stand in a page. */
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { escapeHtml } from "../../server/lib/html.ts";

/**
 * Text of anybody's making, such as a sensor's name, for elements and quoted attributes. What would be read as markup is written
 * out; what is not seen and yet changes what is (control characters, marks that turn the direction of writing) becomes �.
 */
export function safe(text: string): string {
  const visible = text.replace(/[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
  return escapeHtml(visible.toWellFormed());
}

/** With a narrow space between thousands, and at most so many decimals. */
export function number(value: number | bigint, decimals: 0 | 1 | 2 = 0): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: decimals }).replaceAll(",", "\u202f");
}

/** A measured value in a sensor's unit: four digits that count. */
export function value(of: number): string {
  const size = Math.abs(of);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? of.toExponential(2) : String(Number(of.toPrecision(4)));
}

export function percent(of: number, decimals: 0 | 1 | 2 = 1): string {
  return `${number(of, decimals)}\u202f%`;
}

/** Seconds in the two units that matter. */
export function duration(seconds: number): string {
  const parts: [number, string][] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
    [1, "s"],
  ];
  const first = parts.findIndex(([size]) => seconds >= size);
  if (first === -1) return "under 1\u202fs";
  const [size, unit] = parts[first]!;
  const next = parts[first + 1];
  const whole = Math.floor(seconds / size);
  const rest = next === undefined ? 0 : Math.floor((seconds - whole * size) / next[0]);
  return rest === 0 ? `${whole}\u202f${unit}` : `${whole}\u202f${unit} ${rest}\u202f${next![1]}`;
}

export function msOf(time: Timestamp | undefined): number {
  return time === undefined ? 0 : timestampMs(time);
}

/** "2026-03-09 14:05", UTC. */
export function minute(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

/** "Mon 9 Mar", UTC. */
export function day(ms: number): string {
  const date = new Date(ms);
  const part = (options: Intl.DateTimeFormatOptions) =>
    date.toLocaleDateString("en-GB", { ...options, timeZone: "UTC" });
  return `${part({ weekday: "short" })} ${part({ day: "numeric" })} ${part({ month: "short" })}`;
}
