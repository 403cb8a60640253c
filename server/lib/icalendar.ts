/** The days of an iCalendar file (RFC 5545): all that a list of holidays needs of it. */

/** A sentence that says what of the file cannot be read. */
export class CalendarError extends Error {}

const DAY_MS = 86_400_000;
/** Yearly events are written down for so long from the day that is given, and for so long before it. */
const YEARS_AHEAD = 10;
const YEARS_BACK = 5;
/** Days of one event. */
const LONGEST = 366;

/** Name and value, with parameters between them. Each character can be read in one way: a line that is none is told at once. */
const LINE = /^([\w-]+)(?:;[^:;"]*(?:"[^"]*"[^:;"]*)*)*:(.*)$/;
/** Days of all events, those that are in several counted again. */
const MOST_DAYS = 20_000;

/** Values by the property's name. */
type Event = ReadonlyMap<string, readonly string[]>;

/** Days as YYYY-MM-DD, each once, in order. Throws a CalendarError. `todayMs`: milliseconds since 1970. */
export function daysOfCalendar(text: string, todayMs: number): string[] {
  const events = eventsOf(text);
  if (events.length === 0) throw new CalendarError("it has no event (VEVENT)");
  const days = new Set<string>();
  let count = 0;
  for (const event of events) {
    for (const day of daysOf(event, new Date(todayMs).getUTCFullYear())) {
      if (++count > MOST_DAYS) throw new CalendarError(`its events have more than ${MOST_DAYS} days`);
      days.add(day);
    }
  }
  return [...days].sort();
}

function eventsOf(text: string): Event[] {
  // Long lines are folded: what begins with a space continues the line before.
  const lines = text.replaceAll(/\r?\n[ \t]/g, "").split(/\r?\n/);
  const events: Event[] = [];
  let event: Map<string, string[]> | undefined;
  /** Components within the event, such as alarms. */
  let depth = 0;
  for (const line of lines) {
    const [, name = "", value = ""] = LINE.exec(line) ?? [];
    const property = name.toUpperCase();
    if (property === "BEGIN" && event !== undefined) depth++;
    else if (property === "BEGIN" && value.toUpperCase() === "VEVENT") event = new Map();
    else if (property === "END" && depth > 0) depth--;
    else if (property === "END" && event !== undefined) {
      events.push(event);
      event = undefined;
    } else if (event !== undefined && depth === 0) {
      const values = event.get(property);
      if (values === undefined) event.set(property, [value]);
      else values.push(value);
    }
  }
  return events;
}

function daysOf(event: Event, year: number): string[] {
  if (event.get("STATUS")?.[0]?.toUpperCase() === "CANCELLED") return [];
  const start = dayOf(event, "DTSTART");
  if (start === undefined) throw new CalendarError(`${nameOf(event)} has no DTSTART`);
  const length = lengthOf(event, start);
  const excluded = new Set((event.get("EXDATE") ?? []).flatMap((value) => value.split(",").map(readDay)));
  const starts = startsOf(event, start, year).filter((first) => !excluded.has(first));
  return starts.flatMap((first) => Array.from({ length }, (_, i) => isoDay(first + i * DAY_MS)));
}

/** Days of an event: to its end, which for days is the first that is not in it. */
function lengthOf(event: Event, start: number): number {
  const end = dayOf(event, "DTEND");
  const duration = /^P(?:(\d+)W)?(?:(\d+)D)?/.exec(event.get("DURATION")?.[0] ?? "");
  const lasting = duration === null ? 1 : Number(duration[1] ?? 0) * 7 + Number(duration[2] ?? 0);
  const days = end === undefined ? lasting : (end - start) / DAY_MS;
  const ofTime = /T\d/.test(event.get("DTEND")?.[0] ?? "") && !/T000000/.test(event.get("DTEND")![0]!);
  const length = Math.max(1, ofTime ? days + 1 : days);
  if (length > LONGEST)
    throw new CalendarError(`${nameOf(event)} lasts ${length} days, and at most ${LONGEST} are taken`);
  return length;
}

/** When an event begins: once, or each year. */
function startsOf(event: Event, start: number, year: number): number[] {
  const rule = event.get("RRULE")?.[0];
  if (rule === undefined) return [start];
  const parts = new Map(rule.split(";").map((part) => part.split("=", 2) as [string, string]));
  const date = new Date(start);
  const same =
    [undefined, String(date.getUTCMonth() + 1)].includes(parts.get("BYMONTH")) &&
    [undefined, String(date.getUTCDate())].includes(parts.get("BYMONTHDAY"));
  const known = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "WKST"];
  if (parts.get("FREQ") !== "YEARLY" || !same || [...parts.keys()].some((name) => !known.includes(name))) {
    throw new CalendarError(`${nameOf(event)} repeats by the rule "${rule}": only the same date of each year is taken`);
  }
  const numberOf = (name: string, absent: number) => {
    const text = parts.get(name);
    if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return Number(text ?? absent);
    throw new CalendarError(`${nameOf(event)} repeats by the rule "${rule}": ${name} is no whole number from 1 on`);
  };
  const every = numberOf("INTERVAL", 1);
  const count = numberOf("COUNT", Number.POSITIVE_INFINITY);
  const until = parts.has("UNTIL") ? readDay(parts.get("UNTIL")!) : Number.POSITIVE_INFINITY;
  const starts: number[] = [];
  const first = date.getUTCFullYear();
  for (let k = 0; k < count && first + k * every <= year + YEARS_AHEAD; k++) {
    const day = Date.UTC(first + k * every, date.getUTCMonth(), date.getUTCDate());
    // 29 February is not in each year.
    if (new Date(day).getUTCMonth() !== date.getUTCMonth() || day > until) continue;
    if (first + k * every >= year - YEARS_BACK) starts.push(day);
  }
  return starts;
}

function dayOf(event: Event, name: string): number | undefined {
  const value = event.get(name)?.[0];
  return value === undefined ? undefined : readDay(value);
}

/** The day of a date, or of a time with one: milliseconds since 1970. */
function readDay(value: string): number {
  const [, year, month, day] = /^(\d{4})(\d\d)(\d\d)(?:T\d{6}Z?)?$/.exec(value.trim()) ?? [];
  const ms = Date.UTC(Number(year), Number(month) - 1, Number(day));
  if (!Number.isFinite(ms) || isoDay(ms) !== `${year}-${month}-${day}`) {
    throw new CalendarError(`"${value}" is no date: wanted YYYYMMDD`);
  }
  return ms;
}

function isoDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function nameOf(event: Event): string {
  return `the event "${event.get("SUMMARY")?.[0] ?? ""}"`;
}
