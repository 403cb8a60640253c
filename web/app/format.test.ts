import { expect, test } from "vitest";
import {
  agoText,
  durationText,
  msOf,
  numberText,
  offsetText,
  plural,
  shortTimeText,
  sizeText,
  timestampOf,
  timeText,
  valueText,
} from "./format.ts";

const AT = Date.UTC(2026, 10, 29, 20, 4, 5);

test("numbers keep five digits that say something, and large whole ones all of theirs", () => {
  expect([0, 23.456789, -0.5, 1234567, 1.5e12, 0.000012].map(numberText)).toEqual([
    "0",
    "23.457",
    "-0.5",
    "1,234,567",
    "1.500e+12",
    "1.200e-5",
  ]);
  expect(valueText(61.5, "C")).toBe("61.5\u202fC");
  expect(valueText(61.5, "1"), "the unit of what has none").toBe("61.5");
});

test("sizes have three digits at most", () => {
  expect([0, 999, 1_000, 65_536, 12_345_678, 5e15].map(sizeText)).toEqual(
    ["0 B", "999 B", "1 kB", "65.5 kB", "12.3 MB", "5,000 TB"].map((text) => text.replace(" ", "\u202f")),
  );
});

test("durations have two units at most", () => {
  expect([0, 12, 1_000, 61_000, 7_500_000, 90_000_000].map(durationText)).toEqual([
    "0 s",
    "12 ms",
    "1 s",
    "1 min 1 s",
    "2 h 5 min",
    "1 d 1 h",
  ]);
});

test("a moment is said as past or to come", () => {
  expect([AT - 5_000, AT + 7_200_000, AT].map((ms) => agoText(ms, AT))).toEqual(["5 s ago", "in 2 h", "now"]);
});

test("times are shown in the zone that was chosen, and say which", () => {
  expect(timeText(AT, "UTC")).toBe("2026-11-29 20:04:05");
  expect(timeText(AT + 250, "Asia/Kolkata")).toBe("2026-11-30 01:34:05.250");
  expect(shortTimeText(AT, AT + 60_000, "UTC")).toBe("20:04");
  expect(shortTimeText(AT, AT + 86_400_000, "UTC")).toBe("11-29 20:04");
  expect([offsetText(AT, "UTC"), offsetText(AT, "Asia/Kolkata")]).toEqual(["UTC", "UTC+05:30"]);
});

test("a timestamp keeps its microseconds", () => {
  const time = timestampOf(AT + 0.25);
  expect(time).toEqual({ seconds: BigInt(AT / 1_000), nanos: 250_000 });
  expect(msOf({ $typeName: "google.protobuf.Timestamp", ...time })).toBe(AT + 0.25);
});

test("one is one", () => {
  expect([plural(1n, "alert"), plural(1_200, "alert"), plural(2, "reading is", "readings are")]).toEqual([
    "1 alert",
    "1,200 alerts",
    "2 readings are",
  ]);
});
