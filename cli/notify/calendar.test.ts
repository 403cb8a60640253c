import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { type Shift, ShiftSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import { calendarText, wholeShifts } from "./calendar.ts";

const shift = (receiver: string, start: string, end: string): Shift =>
  create(ShiftSchema, {
    receiver,
    startTime: timestampFromDate(new Date(start)),
    endTime: timestampFromDate(new Date(end)),
  });
const idsOf = (text: string) => [...text.matchAll(/^UID:(.*)\r$/gm)].map(([, id]) => id);

test("a shift that is under way has the event that it had in a file of the day before", () => {
  const whole = shift("ann", "2026-12-01T07:00:00Z", "2026-12-08T07:00:00Z");
  const next = shift("ben", "2026-12-08T07:00:00Z", "2026-12-15T07:00:00Z");
  const made = "2026-12-03T10:20:30.456Z";
  const [begun, rest] = [shift("ann", "2026-12-01T07:00:00Z", made), shift("ann", made, "2026-12-08T07:00:00Z")];
  // Ben's ends there by chance: it is no beginning of Ann's.
  const before = [begun, shift("ben", "2026-11-24T07:00:00Z", made)];
  const text = calendarText("plant", wholeShifts(before, [rest, next]));
  expect(idsOf(text)).toEqual(idsOf(calendarText("plant", [whole, next])));
  expect(text).toContain("DTSTART:20261201T070000Z");
  expect(new Set(idsOf(text)).size).toBe(2);
});
