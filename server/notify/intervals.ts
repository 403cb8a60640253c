/** When routes are muted: times of day, weekdays, days, months and years, in a time zone, as people there read their clocks. */
import type { NamedIntervals, NotifyConfig, Range, Route, TimeInterval } from "./config/config.ts";
import { type WallTime, wallTime } from "./wall-time.ts";

/** Why a route notifies nobody at a time. */
export type Muted =
  /** Within a time interval that mutes it. */
  | { readonly kind: "muted"; readonly interval: string }
  /** Outside of all intervals in which it is active. */
  | { readonly kind: "inactive"; readonly intervals: readonly string[] };

/** Why nobody is notified by the route at a time, in microseconds since the epoch; undefined: it is not muted. */
export function mutedBy(
  route: Route,
  { timeIntervals }: Pick<NotifyConfig, "timeIntervals">,
  nowUs: number,
): Muted | undefined {
  const isIn = (name: string) => isWithin(name, timeIntervals, nowUs);
  const interval = route.muteTimeIntervals.find(isIn);
  if (interval !== undefined) return { kind: "muted", interval };
  const intervals = route.activeTimeIntervals;
  return intervals.length === 0 || intervals.some(isIn) ? undefined : { kind: "inactive", intervals };
}

/** Whether the intervals of the name hold the time. */
export function isWithin(name: string, timeIntervals: readonly NamedIntervals[], nowUs: number): boolean {
  const found = timeIntervals.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the time interval ${name} is used, and there is none of that name`);
  return isActive(found.intervals, nowUs);
}

/** Whether one of the intervals holds the time. */
export function isActive(intervals: readonly TimeInterval[], nowUs: number): boolean {
  return intervals.some((interval) => holds(interval, wallTime(nowUs, interval.location)));
}

function holds(interval: TimeInterval, now: WallTime): boolean {
  const { times, weekdays, daysOfMonth, months, years } = interval;
  return (
    (times === undefined || times.some(({ from, to }) => now.minute >= from && now.minute < to)) &&
    (daysOfMonth === undefined || daysOfMonth.some((range) => holdsDay(range, now))) &&
    holdsOne(months, now.month) &&
    holdsOne(weekdays, now.weekday) &&
    holdsOne(years, now.year)
  );
}

function holdsOne(ranges: readonly Range[] | undefined, value: number): boolean {
  return ranges === undefined || ranges.some(({ from, to }) => value >= from && value <= to);
}

/** A range that begins past the month's end holds none of its days; one that ends there ends with it. */
function holdsDay({ from, to }: Range, { day, daysInMonth }: WallTime): boolean {
  const counted = (given: number) => (given < 0 ? daysInMonth + given + 1 : given);
  return day >= counted(from) && day <= counted(to);
}
