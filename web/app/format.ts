/** Numbers, times and durations as people read them. Times are milliseconds since 1970. */
import type { Timestamp } from "@bufbuild/protobuf/wkt";

export function msOf(time: Timestamp): number {
  return Number(time.seconds) * 1_000 + time.nanos / 1e6;
}

/** Keeps the microseconds that a Date would lose where they are given. */
export function timestampOf(ms: number): { seconds: bigint; nanos: number } {
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e3) * 1e3 };
}

const SIGNIFICANT = 5;
const LARGE = 1e9;
const SMALL = 1e-4;

/** Whether a value is shown with it: 1 is the unit of what has none. */
export function isShownUnit(unit: string): boolean {
  return unit !== "" && unit !== "1";
}

/** A measured value, with its unit after a narrow space that does not break. */
export function valueText(value: number, unit = ""): string {
  const text = numberText(value);
  return isShownUnit(unit) ? `${text}\u202f${unit}` : text;
}

export function numberText(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= LARGE || size < SMALL)) return value.toExponential(3);
  return digitsFormat(size >= 1e5 ? Math.ceil(Math.log10(size)) : SIGNIFICANT).format(value);
}

/** Made once each: a page writes hundreds of numbers, and to make a format takes longer than all of them. */
const digitFormats = new Map<number, Intl.NumberFormat>();
const COUNT = new Intl.NumberFormat("en");

function digitsFormat(maximumSignificantDigits: number): Intl.NumberFormat {
  let format = digitFormats.get(maximumSignificantDigits);
  if (format === undefined) {
    format = new Intl.NumberFormat("en", { maximumSignificantDigits });
    digitFormats.set(maximumSignificantDigits, format);
  }
  return format;
}

export function countText(count: number | bigint): string {
  return COUNT.format(count);
}

const SIZES = ["B", "kB", "MB", "GB", "TB"];

/** Bytes, three digits and more only where they are bytes: 12 MB. */
export function sizeText(bytes: number): string {
  const step = bytes < 1_000 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1_000 ** step).toLocaleString("en", { maximumSignificantDigits: 3 })}\u202f${SIZES[step]}`;
}

export function plural(count: number | bigint, one: string, many = `${one}s`): string {
  return `${countText(count)} ${Number(count) === 1 ? one : many}`;
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000],
] as const;

/** Two units at most, for example "2 h 5 min"; "0 s" for less than a second. */
export function durationText(ms: number): string {
  const start = UNITS.findIndex(([, size]) => ms >= size);
  if (start < 0) return ms >= 1 ? `${Math.round(ms)} ms` : "0 s";
  const [name, size] = UNITS[start]!;
  const count = Math.floor(ms / size);
  const next = UNITS[start + 1];
  const rest = next === undefined ? 0 : Math.floor((ms - count * size) / next[1]);
  return rest === 0 ? `${count} ${name}` : `${count} ${name} ${rest} ${next![0]}`;
}

/** For example "5 min ago", "in 2 h", "now". */
export function agoText(ms: number, nowMs: number): string {
  const past = nowMs - ms;
  if (Math.abs(past) < 1_000) return "now";
  const [name, size] = UNITS.find(([, unit]) => Math.abs(past) >= unit)!;
  const count = Math.floor(Math.abs(past) / size);
  return past > 0 ? `${count} ${name} ago` : `in ${count} ${name}`;
}

type Parts = Readonly<Record<string, string>>;

/** ISO order, to the second: 2026-11-29 20:04:05. Milliseconds where there are any. */
export function timeText(ms: number, zone: string): string {
  const { year, month, day, hour, minute, second } = partsOf(ms, zone);
  const fraction = ms % 1_000;
  const more = fraction === 0 ? "" : `.${String(Math.floor(fraction)).padStart(3, "0")}`;
  return `${year}-${month}-${day} ${hour}:${minute}:${second}${more}`;
}

/** As short as the moment allows: the time for today, the day else. */
export function shortTimeText(ms: number, nowMs: number, zone: string): string {
  const { month, day, hour, minute, year } = partsOf(ms, zone);
  const now = partsOf(nowMs, zone);
  if (year === now.year && month === now.month && day === now.day) return `${hour}:${minute}`;
  return year === now.year ? `${month}-${day} ${hour}:${minute}` : `${year}-${month}-${day}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

export function partsOf(ms: number, zone: string): Parts {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: zone,
      hourCycle: "h23",
      ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" },
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
}

/** For example "UTC+01:00". */
export function offsetText(ms: number, zone: string): string {
  const format = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
  const name = format.formatToParts(ms).find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
  return name.replace("GMT", "UTC").replace("+00:00", "");
}
