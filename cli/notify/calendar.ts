import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import ical, { ICalEventTransparency } from "ical-generator";
import type { Shift } from "../../gen/es/telltale/v1/notification_pb.ts";

/**
 * The shifts, of which those that are under way when the range begins have their own beginning: a file that is made on another day has the same
 * events, so that no calendar shows a shift twice.
 *
 * @param before shifts of the time before the range
 */
export function wholeShifts(before: readonly Shift[], shifts: readonly Shift[]): Shift[] {
  const began = new Map(before.map((shift) => [keyOf(shift, shift.endTime!), shift.startTime!]));
  return shifts.map((shift) => ({
    ...shift,
    startTime: began.get(keyOf(shift, shift.startTime!)) ?? shift.startTime!,
  }));
}

function keyOf({ receiver, overrideId }: Shift, { seconds, nanos }: Timestamp): string {
  return JSON.stringify([receiver, overrideId, String(seconds), nanos]);
}

/** The shifts of a schedule as an iCalendar file (RFC 5545). Made again it has the same events. */
export function calendarText(schedule: string, shifts: readonly Shift[]): string {
  const calendar = ical({ name: `On call: ${schedule}`, prodId: "//Telltale//On call//EN" });
  for (const { receiver, startTime, endTime } of shifts) {
    const start = timestampDate(startTime!);
    calendar.createEvent({
      id: `${start.getTime()}-${encodeURIComponent(receiver)}-${encodeURIComponent(schedule)}@telltale`,
      start,
      end: timestampDate(endTime!),
      // When it was made: that of the calendar would differ each time.
      stamp: start,
      summary: `${receiver} is on call (${schedule})`,
      transparency: ICalEventTransparency.TRANSPARENT,
    });
  }
  return `${calendar.toString()}\r\n`;
}
