import { expect, test } from "vitest";
import { dateOf, isMonth, isOn, localOf, momentOf, monthFrom, monthOf, weeksOf } from "./calendar.ts";

test("a month has whole weeks, from Monday", () => {
  const weeks = weeksOf("2026-11");
  expect(weeks.map((week) => [week[0]!.date, week[6]!.date])).toEqual([
    ["2026-10-26", "2026-11-01"],
    ["2026-11-02", "2026-11-08"],
    ["2026-11-09", "2026-11-15"],
    ["2026-11-16", "2026-11-22"],
    ["2026-11-23", "2026-11-29"],
    ["2026-11-30", "2026-12-06"],
  ]);
  expect(weeks[0]!.map(({ isOther }) => isOther)).toEqual([true, true, true, true, true, true, false]);
  expect(weeksOf("2027-02")).toHaveLength(4);
});

test("months follow each other over the year", () => {
  expect([monthFrom("2026-12", 1), monthFrom("2026-01", -1)]).toEqual(["2027-01", "2025-12"]);
  expect(["2026-11", "2026-13", "2026-1", "month", ""].map(isMonth)).toEqual([true, false, false, false, false]);
});

test("a day is that of the zone", () => {
  const ms = Date.UTC(2026, 10, 30, 23, 30);
  expect([dateOf(ms, "UTC"), dateOf(ms, "Europe/Berlin"), monthOf(ms, "Europe/Berlin")]).toEqual([
    ...["2026-11-30", "2026-12-01", "2026-12"],
  ]);
});

test("something is on each day that it touches, and not on the day at whose midnight it ends", () => {
  const night = { from: Date.UTC(2026, 10, 3, 22), to: Date.UTC(2026, 10, 5) };
  const days = ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"];
  expect(days.filter((date) => isOn(date, night, "UTC"))).toEqual(["2026-11-03", "2026-11-04"]);
  expect(days.filter((date) => isOn(date, night, "Europe/Berlin"))).toEqual(["2026-11-03", "2026-11-04", "2026-11-05"]);
});

test("what a clock shows in a zone is a moment, also where the clocks change", () => {
  expect(momentOf("2026-11-04T06:30", "UTC")).toBe(Date.UTC(2026, 10, 4, 6, 30));
  expect(momentOf("2026-07-04T06:30", "Europe/Berlin")).toBe(Date.UTC(2026, 6, 4, 4, 30));
  expect(momentOf("2026-03-29T12:00", "Europe/Berlin")).toBe(Date.UTC(2026, 2, 29, 10));
  // Twice that night: the first of them.
  expect(momentOf("2026-10-25T02:30", "Europe/Berlin")).toBe(Date.UTC(2026, 9, 25, 0, 30));
  expect(momentOf("2026-11-04T00:10", "Pacific/Auckland")).toBe(Date.UTC(2026, 10, 3, 11, 10));
  expect(momentOf("", "UTC")).toBeUndefined();
  for (const zone of ["UTC", "Asia/Kathmandu", "America/St_Johns"])
    expect(momentOf(localOf(Date.UTC(2026, 10, 4, 6, 30), zone), zone)).toBe(Date.UTC(2026, 10, 4, 6, 30));
});
