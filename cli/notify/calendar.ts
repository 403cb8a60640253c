import { timestampDate } from "@bufbuild/protobuf/wkt";
import ical, { ICalEventTransparency } from "ical-generator";
import type { Shift } from "../../gen/es/telltale/v1/notification_pb.ts";

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
