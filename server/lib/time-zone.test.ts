import { expect, test } from "vitest";
import { isTimeZone, timeZoneRules } from "./time-zone.ts";

const HOUR = 3600;

test("the changes of a zone are found to the second", () => {
  const { firstOffset, changeAt, changeTo, database } = timeZoneRules("Europe/Berlin");
  expect(firstOffset).toBe(HOUR);
  const at = changeAt.indexOf(BigInt(Date.UTC(2026, 9, 25, 1) / 1000));
  expect(changeTo.slice(at - 1, at + 1)).toEqual([2 * HOUR, HOUR]);
  expect(changeAt.at(-1)).toBe(BigInt(Date.UTC(2099, 9, 25, 1) / 1000));
  expect(database).toMatch(/^\d{4}[a-z]$/);
});

test("zones without changes, of half hours, and of the south are known; unknown names are not", () => {
  expect(timeZoneRules("UTC")).toMatchObject({ firstOffset: 0, changeAt: [], changeTo: [] });
  expect(timeZoneRules("Asia/Kathmandu").changeTo.at(-1)).toBe(5.75 * HOUR);
  const { changeAt, changeTo } = timeZoneRules("Australia/Lord_Howe");
  const winter = changeAt.indexOf(BigInt(Date.UTC(2026, 3, 4, 15) / 1000));
  expect(changeTo.slice(winter, winter + 2)).toEqual([10.5 * HOUR, 11 * HOUR]);
  expect(["Europe/Berlin", "UTC", "Mars/Olympus", ""].map(isTimeZone)).toEqual([true, true, false, false]);
  expect(() => timeZoneRules("Mars/Olympus")).toThrow(/Mars/);
});

test("two changes an hour less than a week apart are both found", () => {
  const { changeAt } = timeZoneRules("Asia/Gaza");
  const [autumn, ramadan] = [Date.UTC(2040, 9, 20), Date.UTC(2040, 9, 26, 23)].map((ms) => BigInt(ms / 1000));
  expect(changeAt.indexOf(ramadan!) - changeAt.indexOf(autumn!)).toBe(1);
});

test("no zone has more changes than a calendar has room for", () => {
  // Morocco changes twice a year around Ramadan, and others did so more often in the past.
  for (const zone of ["Africa/Casablanca", "Africa/Cairo", "America/Santiago", "Asia/Gaza"]) {
    const { changeAt } = timeZoneRules(zone);
    expect(changeAt.length).toBeGreaterThan(20);
    expect(changeAt.length).toBeLessThanOrEqual(400);
  }
});
