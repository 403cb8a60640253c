import { expect, test } from "vitest";
import { parseIso } from "../../formats/time.ts";
import { parseNotifyConfig } from "./config/parse.ts";
import { isActive, mutedBy } from "./intervals.ts";

const us = (text: string) => parseIso(text)!.seconds * 1e6;

function configOf(intervals: string, route = "mute_time_intervals: [t]") {
  const parsed = parseNotifyConfig(`
route: {receiver: a, routes: [{${route}}]}
receivers: [{name: a}]
time_intervals: [{name: t, time_intervals: [${intervals}]}, {name: weekend, time_intervals: [{weekdays: ['saturday', 'sunday']}]}]`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

const isIn = (interval: string, time: string) => isActive(configOf(interval).timeIntervals[0]!.intervals, us(time));

test.each([
  [
    "{times: [{start_time: '09:00', end_time: '17:00'}]}",
    ["2026-01-01T09:00", "2026-01-01T16:59:59"],
    ["2026-01-01T08:59:59", "2026-01-01T17:00"],
  ],
  [
    "{times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]}",
    ["2026-01-01T23:59:59", "2026-01-01T00:00"],
    ["2026-01-01T06:00", "2026-01-01T21:59"],
  ],
  [
    "{weekdays: ['monday:wednesday', saturday]}",
    ["2026-06-01", "2026-06-03", "2026-06-06"],
    ["2026-06-04", "2026-06-07"],
  ],
  [
    "{months: ['november:december', 2]}",
    ["2026-02-28", "2026-11-01", "2026-12-31T23:59:59"],
    ["2026-03-01", "2026-10-31"],
  ],
  ["{years: ['2026:2027']}", ["2026-01-01", "2027-12-31T23:59"], ["2025-12-31T23:59", "2028-01-01"]],
  ["{}", ["1970-01-01", "2026-06-01"], []],
  ["{weekdays: [monday], months: [june]}", ["2026-06-01"], ["2026-06-02", "2026-07-06"]],
  ["{weekdays: [monday]}, {months: [july]}", ["2026-06-01", "2026-07-02"], ["2026-06-02"]],
])("%s holds what it says in UTC", (interval, inside, outside) => {
  expect(inside.filter((time) => !isIn(interval, time))).toEqual([]);
  expect(outside.filter((time) => isIn(interval, time))).toEqual([]);
});

test.each([
  ["['-1']", ["2026-02-28", "2028-02-29", "2026-04-30", "2026-12-31"], ["2028-02-28", "2026-04-29"]],
  ["['-3:-1']", ["2026-02-26", "2026-04-28"], ["2026-02-25", "2026-04-27"]],
  ["['25:-2']", ["2026-02-27", "2026-03-30", "2026-03-25"], ["2026-02-28", "2026-03-31", "2026-03-24"]],
  ["['28:31']", ["2026-02-28", "2026-03-31"], ["2026-02-27"]],
  ["['31']", ["2026-03-31"], ["2026-04-30", "2026-04-01"]],
  ["['-31:-30']", ["2026-03-01", "2026-03-02", "2026-04-01"], ["2026-04-02", "2026-02-01"]],
])("days of month %s are counted from the end of each month", (days, inside, outside) => {
  expect(inside.filter((time) => !isIn(`{days_of_month: ${days}}`, time))).toEqual([]);
  expect(outside.filter((time) => isIn(`{days_of_month: ${days}}`, time))).toEqual([]);
});

test("times are those that clocks show in the location, before and after they are changed", () => {
  const office = "{times: [{start_time: '09:00', end_time: '10:00'}], location: Europe/Berlin}";
  // On 2026-03-29 clocks go forward, on 2026-10-25 back.
  expect(
    ["2026-03-28T08:30Z", "2026-03-29T07:30Z", "2026-10-24T07:30Z", "2026-10-25T08:30Z"].map((t) => isIn(office, t)),
  ).toEqual([true, true, true, true]);
  expect(
    ["2026-03-28T07:30Z", "2026-03-29T08:30Z", "2026-10-24T08:30Z", "2026-10-25T07:30Z"].map((t) => isIn(office, t)),
  ).toEqual([false, false, false, false]);
});

test("an hour that the clock shows twice is held twice, and one that it skips never", () => {
  const hours = (day: string) => Array.from({ length: 24 }, (_, h) => `${day}T${String(h).padStart(2, "0")}:30Z`);
  const held = (day: string) =>
    hours(day).filter((time) =>
      isIn("{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Berlin}", time),
    );
  expect(held("2026-10-25")).toEqual(["2026-10-25T00:30Z", "2026-10-25T01:30Z"]);
  expect(held("2026-03-29")).toEqual([]);
});

test("the day, weekday, month and year are those of the location", () => {
  const newYear =
    "{days_of_month: ['1'], months: [january], years: ['2027'], weekdays: [friday], location: Pacific/Kiritimati}";
  expect(isIn(newYear, "2026-12-31T10:00Z")).toBe(true); // UTC+14
  expect(isIn(newYear, "2026-12-31T09:59Z")).toBe(false);
  expect(isIn("{days_of_month: ['-1'], location: America/New_York}", "2026-03-01T04:59Z")).toBe(true);
});

test("a route is muted within its mute intervals and outside of its active ones, and names them", () => {
  const night = "{times: [{start_time: '00:00', end_time: '06:00'}]}";
  const muted = (route: string, time: string) => {
    const config = configOf(night, route);
    return mutedBy(config.route.routes[0]!, config, us(time));
  };
  const saturdayNight = "2026-06-06T01:00";
  const mondayNoon = "2026-06-01T12:00";
  expect(muted("mute_time_intervals: [weekend, t]", saturdayNight)).toEqual({ kind: "muted", interval: "weekend" });
  expect(muted("mute_time_intervals: [weekend, t]", mondayNoon)).toBeUndefined();
  expect(muted("active_time_intervals: [weekend, t]", saturdayNight)).toBeUndefined();
  expect(muted("active_time_intervals: [weekend, t]", mondayNoon)).toEqual({
    kind: "inactive",
    intervals: ["weekend", "t"],
  });
  expect(muted("active_time_intervals: [weekend], mute_time_intervals: [t]", saturdayNight)).toEqual({
    kind: "muted",
    interval: "t",
  });
  expect(muted("group_wait: 1s", saturdayNight)).toBeUndefined();
});
