import { expect, test } from "vitest";
import { parseNotifyConfig } from "../config/parse.ts";
import { dutyMs } from "../wall-time.ts";
import { type Override, onCall } from "./oncall.ts";
import { shiftsOf } from "./shifts.ts";

const at = (iso: string) => Date.parse(iso) * 1_000;

function scheduleOf(rotations: string) {
  const parsed = parseNotifyConfig(`
route: { receiver: anna }
receivers: [{ name: anna }, { name: ben }, { name: cleo }]
time_intervals:
  - name: nights
    time_intervals:
      - { location: Europe/Berlin, times: [{ start_time: "22:00", end_time: "24:00" }, { start_time: "00:00", end_time: "06:00" }] }
schedules: [{ name: plant, time_zone: Europe/Berlin, rotations: [${rotations}] }]
`);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return { schedule: parsed.config.schedules[0]!, timeIntervals: parsed.config.timeIntervals };
}

function namesAt(rotations: string, iso: string, overrides: readonly Override[] = []): string[] {
  return namesOf(scheduleOf(rotations), iso, overrides);
}

function namesOf(
  { schedule, timeIntervals }: ReturnType<typeof scheduleOf>,
  iso: string,
  overrides: readonly Override[] = [],
): string[] {
  return onCall(schedule, { timeIntervals, overrides }, at(iso)).map(({ receiver }) => receiver);
}

function override(id: string, receiver: string, replaces = ""): Override {
  const times = { startsUs: at("2026-11-03T00:00:00Z"), endsUs: at("2026-11-04T00:00:00Z"), createdUs: 0 };
  return { id, schedule: "plant", receiver, replaces, author: "", comment: "", ...times };
}

const WEEKS = "{ receivers: [anna, ben], start: 2026-10-19 08:00, shift: 1w }";

test("turns are handed over at the same time of the zone's clocks, also when these are changed", () => {
  expect(namesAt(WEEKS, "2026-10-19T05:59:59Z")).toEqual([]); // before the first
  expect(namesAt(WEEKS, "2026-10-19T06:00:00Z")).toEqual(["anna"]);
  expect(namesAt(WEEKS, "2026-10-26T06:59:59Z")).toEqual(["anna"]); // clocks went back on the 25th
  expect(namesAt(WEEKS, "2026-10-26T07:00:00Z")).toEqual(["ben"]);
  expect(namesAt(WEEKS, "2026-11-02T07:00:00Z")).toEqual(["anna"]);
});

test("a time that comes twice when clocks go back hands over once, and one that does not come at all when it would", () => {
  const daily = "{ receivers: [anna, ben], start: 2026-10-19 02:30, shift: 1d }";
  const parsed = scheduleOf(daily);
  const minutes = (from: string, count: number) =>
    Array.from({ length: count }, (_, i) => namesOf(parsed, new Date(Date.parse(from) + i * 60_000).toISOString())[0]);
  const changes = (names: readonly (string | undefined)[]) => names.filter((name, i) => name !== names[i - 1]);
  // 02:30 in Berlin comes at 00:30Z and at 01:30Z.
  expect(changes(minutes("2026-10-24T23:00:00Z", 300))).toEqual(["ben", "anna"]);
  expect(namesAt(daily, "2026-10-25T00:29:00Z")).toEqual(["ben"]);
  expect(namesAt(daily, "2026-10-25T00:30:00Z")).toEqual(["anna"]);
  expect(namesAt(daily, "2026-10-25T01:15:00Z")).toEqual(["anna"]);
  // In spring clocks go from 02:00 to 03:00.
  expect(changes(minutes("2027-03-27T23:00:00Z", 300))).toHaveLength(2);
  expect(namesAt(daily, "2027-03-28T00:59:00Z")).not.toEqual(namesAt(daily, "2027-03-28T01:00:00Z"));
});

test("hand-offs follow the clocks of every zone, and nobody gets a turn back", () => {
  for (const [zone, from] of [
    ["Europe/Berlin", "2026-10-24T20:00:00Z"],
    ["America/New_York", "2026-10-31T20:00:00Z"],
    ["Australia/Lord_Howe", "2026-04-04T08:00:00Z"],
    ["Antarctica/Troll", "2026-10-24T20:00:00Z"],
  ] as const) {
    let turn = -1;
    for (let us = at(from); us < at(from) + 24 * 3_600_000_000; us += 60_000_000) {
      const next = Math.floor(dutyMs(us, zone) / 900_000);
      expect([zone, new Date(us / 1_000).toISOString(), next]).toEqual([
        zone,
        new Date(us / 1_000).toISOString(),
        Math.max(next, turn),
      ]);
      turn = next;
    }
  }
});

test("of every rotation that is active somebody is on call, and nobody twice", () => {
  const nights = "{ receivers: [cleo], start: 2026-10-19 08:00, shift: 1w, active_time_intervals: [nights] }";
  expect(namesAt(`${WEEKS}, ${nights}`, "2026-11-03T12:00:00Z")).toEqual(["anna"]);
  expect(namesAt(`${WEEKS}, ${nights}`, "2026-11-03T22:00:00Z")).toEqual(["anna", "cleo"]);
  expect(namesAt(`${WEEKS}, ${WEEKS}`, "2026-11-03T22:00:00Z")).toEqual(["anna"]);
});

test("an override takes over from everybody or from one, and a later one from an earlier", () => {
  const noon = "2026-11-03T12:00:00Z";
  expect(namesAt(WEEKS, noon, [override("1", "cleo")])).toEqual(["cleo"]);
  expect(namesAt(WEEKS, noon, [override("1", "cleo", "ben")])).toEqual(["anna"]);
  expect(namesAt(WEEKS, noon, [override("1", "cleo", "anna"), override("2", "ben", "cleo")])).toEqual(["ben"]);
  expect(namesAt(WEEKS, "2026-11-04T00:00:00Z", [override("1", "cleo")])).toEqual(["anna"]);
});

test("shifts are those times to the minute", async () => {
  const { schedule, timeIntervals } = scheduleOf(WEEKS);
  const range = { fromUs: at("2026-11-02T00:00:30Z"), toUs: at("2026-11-10T00:00:00Z") };
  const shifts = await shiftsOf(
    schedule,
    { timeIntervals, overrides: [override("1", "cleo")] },
    { ...range, signal: new AbortController().signal },
  );
  const iso = (us: number) => new Date(us / 1_000).toISOString().slice(0, 16);
  expect(shifts.map(({ receiver, startsUs, endsUs }) => `${receiver} ${iso(startsUs)} ${iso(endsUs)}`)).toEqual([
    "ben 2026-11-02T00:00 2026-11-02T07:00",
    "anna 2026-11-02T07:00 2026-11-03T00:00",
    "cleo 2026-11-03T00:00 2026-11-04T00:00",
    "anna 2026-11-04T00:00 2026-11-09T07:00",
    "ben 2026-11-09T07:00 2026-11-10T00:00",
  ]);
});
