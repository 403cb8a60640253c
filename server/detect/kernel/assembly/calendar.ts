/**
 * Local time and holidays. The calendar is written by the other side from what the log says (../../calendar.ts): nothing here asks what
 * the machine knows of time zones. An offset that was found is kept with the times between which it holds, so that a search happens
 * only where a reading is on the other side of a change.
 */
import {
  CALENDAR_CHANGE_AT,
  CALENDAR_CHANGE_TO,
  CALENDAR_HOLIDAY,
  Calendar,
  Profile,
  SENSOR_COURSE,
  SENSOR_DAY_COUNT,
  SENSOR_DAY_MEAN,
  SENSOR_DAY_MEAN_COUNT,
  SENSOR_ERROR_PROFILE,
  Sensor,
} from "./layout";
import { weekdayOf } from "./season";

const DAY_US: f64 = 86_400e6;
const HALF_HOUR_US: f64 = 1800e6;
const HALF_HOURS: i32 = SENSOR_DAY_MEAN_COUNT;

/** Half hours of a profile while they are moved. */
const moved: usize = memory.data(4 * HALF_HOURS, 16);

/** Local time less UTC at a time, µs. */
export function offsetAt(profile: Profile, time: f64): f64 {
  if (profile.calendar === 0) return 0;
  const calendar = changetype<Calendar>(<usize>profile.calendar);
  if (calendar.zone === 0) return 0;
  if (!(time >= calendar.from && time < calendar.until)) findOffset(calendar, time);
  return calendar.offset;
}

function findOffset(calendar: Calendar, time: f64): void {
  const at = changetype<usize>(calendar);
  const before = countUpTo(at + CALENDAR_CHANGE_AT, calendar.changes, time);
  const after = at + CALENDAR_CHANGE_AT + ((<usize>before) << 3);
  calendar.from = before === 0 ? -Infinity : load<f64>(after - 8);
  calendar.until = before === calendar.changes ? Infinity : load<f64>(after);
  calendar.offset =
    before === 0 ? calendar.firstOffset : load<f64>(at + CALENDAR_CHANGE_TO + ((<usize>(before - 1)) << 3));
}

/** How many of the rising numbers are not above x. */
function countUpTo(numbers: usize, count: u32, x: f64): u32 {
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<f64>(numbers + ((<usize>middle) << 3)) <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The weekday whose course counts at a local time: of a holiday that of the rest day. */
export function weekdayIn(profile: Profile, local: f64): u32 {
  if (profile.calendar === 0) return weekdayOf(local);
  const calendar = changetype<Calendar>(<usize>profile.calendar);
  const day = floor(local / DAY_US);
  const holidays = changetype<usize>(calendar) + CALENDAR_HOLIDAY;
  const before = countUpTo(holidays, calendar.holidays, day);
  const isHoliday = before > 0 && load<f64>(holidays + ((<usize>(before - 1)) << 3)) === day;
  return isHoliday ? calendar.restDay : weekdayOf(local);
}

/**
 * Where the sensor's time zone is another than at its last reading, what was learnt of the times of the day moves with the clock: what
 * was known of 6:00 UTC is what is known of 8:00 where that is two hours ahead. What was learnt of weekdays stays: it has no hours.
 */
export function followZone(s: Sensor, profile: Profile): void {
  const zone = profile.calendar === 0 ? 0 : changetype<Calendar>(<usize>profile.calendar).zone;
  if (zone === s.zone) return;
  const before = s.localOffset;
  s.zone = zone;
  s.localOffset = s.readings > 0 ? offsetAt(profile, s.lastTime) : 0;
  const halfHours = <i32>floor((s.localOffset - before) / HALF_HOUR_US + 0.5);
  if (halfHours === 0) return;
  const at = changetype<usize>(s);
  rotate(at + SENSOR_DAY_MEAN, halfHours);
  rotate(at + SENSOR_DAY_COUNT, halfHours);
  rotate(at + SENSOR_COURSE, halfHours);
  rotate(at + SENSOR_ERROR_PROFILE, halfHours);
}

function rotate(cells: usize, halfHours: i32): void {
  memory.copy(moved, cells, 4 * HALF_HOURS);
  for (let i = 0; i < HALF_HOURS; i++) {
    const to = (((i + halfHours) % HALF_HOURS) + HALF_HOURS) % HALF_HOURS;
    store<u32>(cells + ((<usize>to) << 2), load<u32>(moved + ((<usize>i) << 2)));
  }
}
