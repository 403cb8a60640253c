import { expect, test } from "vitest";
import { daysOfCalendar } from "./icalendar.ts";

const calendar = (...events: string[]) =>
  ["BEGIN:VCALENDAR", "VERSION:2.0", ...events, "END:VCALENDAR", ""].join("\r\n");
const event = (...lines: string[]) => ["BEGIN:VEVENT", ...lines, "END:VEVENT"].join("\r\n");
const TODAY = Date.UTC(2026, 10, 30);

test("single days, several days in a row and folded lines are read; alarms and cancelled events are not", () => {
  const text = calendar(
    event("SUMMARY:Christmas shut", " down", "DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"),
    event("DTSTART;VALUE=DATE:20270101", "BEGIN:VALARM", "TRIGGER:-P1D", "DTSTART:20300101T000000Z", "END:VALARM"),
    event("DTSTART;TZID=Europe/Berlin:20270506T080000", "DTEND;TZID=Europe/Berlin:20270506T180000"),
    event("DTSTART;VALUE=DATE:20270507", "STATUS:CANCELLED"),
    event("DTSTART;VALUE=DATE:20270601", "DURATION:P2D"),
  );
  expect(daysOfCalendar(text, TODAY)).toEqual([
    ...["2026-12-24", "2026-12-25", "2026-12-26", "2027-01-01", "2027-05-06", "2027-06-01", "2027-06-02"],
  ]);
});

test("yearly events are written down from five years back to ten years ahead, within their rule", () => {
  const yearly = event("DTSTART;VALUE=DATE:19901003", "RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20251003");
  const found = daysOfCalendar(calendar(yearly), TODAY);
  expect(found).toHaveLength(15);
  expect([found[0], found.at(-1)]).toEqual(["2021-10-03", "2036-10-03"]);
  expect(found).not.toContain("2025-10-03");
  const counted = event("DTSTART;VALUE=DATE:20240229", "RRULE:FREQ=YEARLY;UNTIL=20280301");
  expect(daysOfCalendar(calendar(counted), TODAY)).toEqual(["2024-02-29", "2028-02-29"]);
});

test("a line of many parameters is read at once, whether or not a value follows", () => {
  const parameters = ';X="a;b:c";Y=z'.repeat(1000) + ";".repeat(1000);
  const text = calendar(event(`X-NOTE${parameters}`, `DTSTART${parameters}:20270101`));
  expect(daysOfCalendar(text, TODAY)).toEqual(["2027-01-01"]);
});

test("what cannot be read is refused with its event, rule or value", () => {
  const long = event("DTSTART;VALUE=DATE:20200101", "DTEND;VALUE=DATE:20201231", "RRULE:FREQ=YEARLY");
  const refused = [
    [calendar(), /no event/],
    [calendar(event("SUMMARY:Easter", "DTSTART;VALUE=DATE:20270328", "RRULE:FREQ=WEEKLY")), /"Easter".*FREQ=WEEKLY/],
    [calendar(event("DTSTART;VALUE=DATE:20270230")), /"20270230" is no date/],
    [calendar(event("DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=YEARLY;INTERVAL=0")), /INTERVAL is no whole number/],
    [calendar(event("DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=YEARLY;COUNT=ten")), /COUNT is no whole number/],
    [calendar(event("SUMMARY:Nothing")), /"Nothing" has no DTSTART/],
    [calendar(...Array.from({ length: 4000 }, () => long)), /more than 20000 days/],
    [calendar(event("DTSTART;VALUE=DATE:20200101", "DTEND;VALUE=DATE:20270101")), /lasts 2557 days/],
  ] as const;
  for (const [text, why] of refused) expect(() => daysOfCalendar(text, TODAY)).toThrow(why);
});
