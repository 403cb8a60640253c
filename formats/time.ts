/**
 * Times as people, programs and files write them. One grammar for the command line, REST, GraphQL and files: what is a time in one
 * place is a time in all of them.
 */

// RFC 3339, and what ISO 8601, Python and PostgreSQL write beside it: no seconds, a blank for the T, a comma before the fraction,
// an offset of hours alone, a date alone.
const ISO_TIME =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?\s*(?:(Z)|([+-])(\d\d)(?::?(\d\d))?(?::?(\d\d))?)?)?$/i;

/** Latest time that fits a Timestamp: 9999-12-31T23:59:59Z, in microseconds since 1970; the earliest that is taken is 0. */
export const MAX_TIME_US = 253_402_300_799 * 1e6;

export interface Instant {
  /** Whole seconds since 1970-01-01T00:00:00Z. */
  readonly seconds: number;
  /** 0 to 999,999,999. */
  readonly nanos: number;
}

export interface IsoTime extends Instant {
  /** Whether the text names its offset; without one it was taken as UTC. */
  readonly hasZone: boolean;
  /** Whether the text is a date alone: its midnight. */
  readonly dateOnly: boolean;
}

/** The instant that an ISO 8601 text names, UTC where it names no offset; undefined where it is no such text or no such day. */
export function parseIso(text: string): IsoTime | undefined {
  const match = ISO_TIME.exec(text.trim());
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", utc, sign, h = "0", m = "0", s = "0"] = match;
  const days = dayNumber(Number(year), Number(month), Number(day));
  const time = secondOfDay(Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0));
  if (days === undefined || time === undefined || Number(h) > 23 || Number(m) > 59 || Number(s) > 59) return undefined;
  const offset = (Number(h) * 3600 + Number(m) * 60 + Number(s)) * (sign === "-" ? -1 : 1);
  return {
    seconds: days * 86_400 + time - offset,
    nanos: Number(fraction.padEnd(9, "0")),
    hasZone: utc !== undefined || sign !== undefined,
    dateOnly: hour === undefined,
  };
}

/** Days since 1970-01-01 of a date of the Gregorian calendar; undefined where there is no such day, such as 30 February. */
export function dayNumber(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() / 86_400_000 : undefined;
}

/** Undefined where no clock shows it. Leap seconds are not distinguished: 23:59:60 is none. */
export function secondOfDay(hour: number, minute: number, second: number): number | undefined {
  return hour > 23 || minute > 59 || second > 59 ? undefined : hour * 3600 + minute * 60 + second;
}

/** Whole microseconds; what is finer is cut off. */
export function microsOf({ seconds, nanos }: Instant): number {
  return seconds * 1e6 + Math.floor(nanos / 1000);
}

/**
 * Whole microseconds since 1970 of an ISO 8601 date and time as Python, PostgreSQL and JSON exports write it; UTC where it names
 * no offset. NaN where it is no such time; a date alone is none.
 */
export function parseInstant(text: string): number {
  const time = parseIso(text);
  return time === undefined || time.dateOnly ? Number.NaN : microsOf(time);
}

/** For people: as long as it has to be. */
export function instantText(us: number): string {
  const micros = ((us % 1000) + 1000) % 1000;
  const iso = new Date((us - micros) / 1000).toISOString();
  return micros === 0 ? iso : iso.replace("Z", `${String(micros).padStart(3, "0")}Z`);
}

/** Units of a count since 1970, with the microseconds in one of each. */
const EPOCH_UNITS = { s: 1e6, ms: 1e3, us: 1, ns: 1e-3 } as const;
export type EpochUnit = keyof typeof EPOCH_UNITS;
export const EPOCH_NAMES: Readonly<Record<EpochUnit, string>> = {
  s: "seconds",
  ms: "milliseconds",
  us: "microseconds",
  ns: "nanoseconds",
};

/** Years that a bare number is taken for. Within them no number is a count in two units, and no date without its dashes is one. */
const EARLIEST_EPOCH_SECONDS = Date.UTC(1990, 0, 1) / 1000;
const LATEST_EPOCH_SECONDS = Date.UTC(2100, 0, 1) / 1000;
const NUMBER = /^([+-]?\d+)(?:[.,](\d*))?$/;

/** The unit in which a number is a time between 1990 and 2100; undefined where there is none. */
export function epochUnit(text: string): EpochUnit | undefined {
  const whole = NUMBER.exec(text.trim())?.[1];
  if (whole === undefined) return undefined;
  const units = Object.keys(EPOCH_UNITS) as EpochUnit[];
  return units.find((unit) => {
    const seconds = (Number(whole) * EPOCH_UNITS[unit]) / 1e6;
    return seconds >= EARLIEST_EPOCH_SECONDS && seconds < LATEST_EPOCH_SECONDS;
  });
}

/**
 * Why a count since 1970 is most likely none in this unit: in it it is no time between 1990 and 2100, in another it is. Undefined where
 * there is no such reason. Seconds that are taken for nanoseconds are of the first weeks of 1970, where nobody finds them.
 */
export function otherUnit(count: number, unit: EpochUnit): string | undefined {
  const seconds = (count * EPOCH_UNITS[unit]) / 1e6;
  if (seconds >= EARLIEST_EPOCH_SECONDS && seconds < LATEST_EPOCH_SECONDS) return undefined;
  const likely = epochUnit(String(count));
  if (likely === undefined || likely === unit) return undefined;
  return `${count} looks like ${EPOCH_NAMES[likely]} since 1970: give ${EPOCH_NAMES[unit]}`;
}

/** Whole microseconds of a count since 1970, exact: nanoseconds have more digits than a double holds. NaN where it is no number. */
export function parseEpoch(text: string, unit: EpochUnit): number {
  const [, whole, fraction = ""] = NUMBER.exec(text.trim()) ?? [];
  if (whole === undefined) return Number.NaN;
  const digits = { s: 6, ms: 3, us: 0, ns: -3 }[unit];
  const negative = whole.startsWith("-");
  const all = whole.replace(/^[+-]/, "") + fraction.padEnd(Math.max(digits, 0), "0").slice(0, Math.max(digits, 0));
  const us = Number(digits < 0 ? all.slice(0, digits) || "0" : all);
  return negative ? -us : us;
}

/** What a text that names no time is, for people: with what to write instead where that is known. */
export function timeHint(text: string): string {
  const bare = text.trim();
  if (/^\d{4}$/.test(bare)) return `${bare} may be a year or a number of seconds: write ${bare}-01-01 for the year`;
  const compact = /^(\d{4})(\d\d)(\d\d)$/.exec(bare);
  if (compact !== null) return `write ${compact[1]}-${compact[2]}-${compact[3]} for the day`;
  if (/^[+-]?\d+(\.\d*)?$/.test(bare)) return "a number is taken as seconds since 1970 only from 1990 to 2100";
  return "write ISO 8601, for example 2024-01-31T12:00:00Z";
}

/**
 * A time that a person gives: ISO 8601 (UTC where it names no offset), a date alone, or a count since 1970 whose unit its
 * magnitude tells.
 *
 * @returns microseconds since 1970
 * @throws RangeError with a hint where the text may mean something else, such as a year
 */
export function readTime(text: string): number {
  const iso = parseIso(text);
  if (iso !== undefined) return microsOf(iso);
  const unit = epochUnit(text);
  if (unit !== undefined) return parseEpoch(text, unit);
  throw new RangeError(`${JSON.stringify(text.slice(0, 60))} is no time: ${timeHint(text)}.`);
}
