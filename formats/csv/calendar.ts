/** Dates and times as files write them, cut into their parts. Nothing is decided here that the text leaves open. */
import { dayNumber, epochUnit, parseIso, secondOfDay } from "../time.ts";

export interface Calendar {
  /** Days since 1970; undefined where day and month may be swapped: then `first` and `second` are as written. */
  readonly day?: number;
  readonly first?: number;
  readonly second?: number;
  readonly year?: number;
  /** Whole seconds since midnight. */
  readonly time: number;
  readonly micros: number;
  /** Seconds ahead of UTC; undefined where the text names no zone. */
  readonly offset: number | undefined;
}

const TIME =
  "(?:[T ,]+(\\d{1,2}):(\\d\\d)(?::(\\d\\d)(?:[.,](\\d{1,9})\\d*)?)?\\s*([AP]M)?\\s*(Z|UTC|GMT|[+-]\\d\\d(?::?\\d\\d)?)?)?$";
const YEAR_FIRST = new RegExp(`^(\\d{4})[-/.](\\d{1,2})[-/.](\\d{1,2})${TIME}`, "i");
const YEAR_LAST = new RegExp(`^(\\d{1,2})[-/.](\\d{1,2})[-/.](\\d{4})${TIME}`, "i");
const DAY_NAMED = new RegExp(`^(\\d{1,2})[- ]([a-z]{3,9})\\.?[-, ]+(\\d{4})${TIME}`, "i");
const MONTH_NAMED = new RegExp(`^([a-z]{3,9})\\.? (\\d{1,2}),? (\\d{4})${TIME}`, "i");
const COMPACT =
  /^((?:19|20|21)\d\d)(\d\d)(\d\d)(?:[T ]?(\d\d)(\d\d)(?:(\d\d)(?:[.,](\d{1,9})\d*)?)?()(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** Undefined where the text is no date with or without a time, or no such day or time exists. */
export function parseCalendar(text: string): Calendar | undefined {
  const iso = parseIso(text);
  if (iso !== undefined) return fromIso(iso);
  const yearFirst = YEAR_FIRST.exec(text) ?? COMPACT.exec(text);
  if (yearFirst !== null) {
    const [, year, month, day, ...clock] = yearFirst;
    return on(dayNumber(Number(year), Number(month), Number(day)), clock);
  }
  const named = DAY_NAMED.exec(text);
  const [, d, m, y, ...rest] = named ?? [];
  if (named !== null) return on(namedDay(y, m, d), rest);
  const monthFirst = MONTH_NAMED.exec(text);
  const [, m2, d2, y2, ...rest2] = monthFirst ?? [];
  if (monthFirst !== null) return on(namedDay(y2, m2, d2), rest2);
  const yearLast = YEAR_LAST.exec(text);
  if (yearLast === null) return undefined;
  const [, first, second, year, ...clock] = yearLast;
  const whole = clockOf(clock);
  return whole && { first: Number(first), second: Number(second), year: Number(year), ...whole };
}

function fromIso({ seconds, nanos, hasZone }: { seconds: number; nanos: number; hasZone: boolean }): Calendar {
  // With a zone the text is an instant: as one it stands here, in UTC.
  const day = Math.floor(seconds / 86_400);
  return { day, time: seconds - day * 86_400, micros: Math.floor(nanos / 1000), offset: hasZone ? 0 : undefined };
}

function namedDay(year: string | undefined, month: string | undefined, day: string | undefined): number | undefined {
  const index = MONTHS.indexOf((month ?? "").slice(0, 3).toLowerCase());
  return index < 0 ? undefined : dayNumber(Number(year), index + 1, Number(day));
}

function on(day: number | undefined, clock: readonly (string | undefined)[]): Calendar | undefined {
  const whole = clockOf(clock);
  return day === undefined || whole === undefined ? undefined : { day, ...whole };
}

function clockOf([hour, minute, second, fraction = "", half, zone]: readonly (string | undefined)[]) {
  const hours = half ? twelve(Number(hour), half) : Number(hour ?? 0);
  const time = hours === undefined ? undefined : secondOfDay(hours, Number(minute ?? 0), Number(second ?? 0));
  if (time === undefined) return undefined;
  const micros = Number(fraction.slice(0, 6).padEnd(6, "0"));
  return { time, micros, offset: zone === undefined ? undefined : offsetOf(zone) };
}

function twelve(hour: number, half: string): number | undefined {
  if (hour < 1 || hour > 12) return undefined;
  return (hour % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
}

function offsetOf(zone: string): number {
  const [, sign, hours, minutes = "0"] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
  return sign === undefined ? 0 : (Number(hours) * 3600 + Number(minutes) * 60) * (sign === "-" ? -1 : 1);
}

/** Whether a cell is a time of some kind: a date, or a number that counts from 1970. */
export function isTimeLike(cell: string): boolean {
  const text = cell.trim();
  return parseCalendar(text) !== undefined || epochUnit(text) !== undefined;
}
