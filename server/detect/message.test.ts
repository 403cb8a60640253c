/** What an alert's sentence says, for every reason, direction and state. */
import { describe, expect, test } from "vitest";
import { alertMessage, type MessageInput, REASONS, renamedMessage } from "./index.ts";
import { duration, instant, withUnit } from "./message.ts";

const SINCE_US = Date.UTC(2026, 10, 22, 23, 43, 28) * 1000;
const BASE: MessageInput = {
  sensorId: "boiler-1",
  sensorType: "temperature",
  unit: "C",
  location: "hall 1",
  score: 9731,
  severity: 4,
  value: 98.2,
  expected: 71.4,
  band: 3.4,
  reason: 1,
  readings: 1,
  sinceUs: SINCE_US,
  recoveredUs: Number.NaN,
};
const SILENCE = REASONS.indexOf("silence");
/** Reasons that speak of where the value lies; the others have a headline of their own. */
const LEVELS = ["value record", "mean of 24 record", "mean of 48 record", "mean of 96 record", "season", "jump"].concat(
  [...["forecaster", "young sensor", "pattern", "season, long", "rare level"]],
);
const HEADLINES: Record<string, string> = {
  "stuck value": "stuck at 98.2 C",
  "impossible range": "outside its configured range",
  "impossible rate": "changing faster than configured as possible",
  dropout: "dropped to 98.2 C",
  "unit change": "as if in another unit",
  "counter reset": "counting from the start again",
  scatter: "more restless than ever",
  "deviation of 24 record": "with a spread never seen before",
  "deviation of 96 record": "with a spread never seen before",
};
const PLACES = {
  "far above": 98.2,
  above: 75.5,
  inside: 72,
  below: 67.5,
  "far below": 3,
} as const;

test("an alert's sentence says what, where, since when, how bad, and which kind of fault is likely, in that order", () => {
  expect(alertMessage(BASE)).toBe(
    "Anomaly detected with score 0.9731: temperature of boiler-1 (hall 1) far above normal since 2026-11-22 23:43:28 UTC; " +
      "critical: 98.2 C where 71.4 was expected (68 to 74.8); " +
      "likely a spike or a level shift: the value is outside everything seen so far (value record)",
  );
});

test("figures of a large count with a narrow band are told from each other", () => {
  const counter = { ...BASE, unit: "kWh", value: 98_142.36, expected: 98_139.31, band: 0.25 };
  expect(alertMessage(counter)).toContain("98142.4 kWh where 98139.3 was expected (98139.1 to 98139.6)");
  expect(alertMessage({ ...counter, band: 400, value: 99_142.36 })).toContain(
    "99142 kWh where 98139 was expected (97739 to 98539)",
  );
});

test("once it has recovered it says when, and how long it lasted; the figures stay those of the fault", () => {
  const text = alertMessage({ ...BASE, recoveredUs: SINCE_US + 8 * 60e6 });
  expect(text).toMatch(/^Anomaly detected with score 0\.9731, recovered 2026-11-22 23:51:28 UTC after 8 min: /);
  expect(text).toContain("98.2 C where 71.4 was expected (68 to 74.8); likely a spike: ");
  expect(alertMessage({ ...BASE, readings: 40 })).toContain("; likely a level shift: ");
});

test("silence says since when nothing came, and what came last", () => {
  const silence = { ...BASE, reason: SILENCE, score: 7000, severity: 2, expected: Number.NaN, band: Number.NaN };
  expect(alertMessage(silence)).toBe(
    "Anomaly detected with score 0.7000: no data from boiler-1 (hall 1) since 2026-11-22 23:43:28 UTC; medium: the last value was " +
      "98.2 C; likely a failed device, supply or network: no reading came for longer than the sensor's own intervals allow (silence)",
  );
  expect(alertMessage({ ...silence, recoveredUs: SINCE_US + 22_320e6 })).toContain(
    ", recovered 2026-11-23 05:55:28 UTC after 6 h 12 min: no data from",
  );
});

describe.each(REASONS.map((name, reason) => [name || "no detector", reason] as const))("%s", (name, reason) => {
  test.each(Object.entries(PLACES))("%s the band, open and recovered", (place, value) => {
    for (const recoveredUs of [Number.NaN, SINCE_US + 3600e6]) {
      const text = alertMessage({ ...BASE, reason, value, recoveredUs });
      const [head, bad, kind, ...more] = text.split("; ");
      expect(more).toEqual([]);
      const over = Number.isNaN(recoveredUs) ? "" : ", recovered 2026-11-23 00:43:28 UTC after 1 h";
      expect(head!.startsWith(`Anomaly detected with score 0.9731${over}: `)).toBe(true);
      expect(head!.endsWith(" since 2026-11-22 23:43:28 UTC")).toBe(true);
      expect(head).toContain("boiler-1 (hall 1)");
      expect(bad).toMatch(/^critical: /);
      expect(bad).toContain(`${value} C`);
      expect(kind).toMatch(/^likely (an? |another|noise)/);
      expect(kind).toContain(`(${name === "no detector" ? "detector" : name})`);
      expect(text).not.toContain("within the band");
      expect(text).not.toContain("undefined");
      if (reason === SILENCE) continue;
      const level = LEVELS.includes(name) && place !== "inside";
      if (level) expect(head).toContain(` ${place} normal since`);
      else expect(head).not.toMatch(/(above|below) normal/);
      const own = HEADLINES[name]?.replace("98.2", String(value));
      if (own !== undefined) expect(head).toContain(` ${own} since`);
      expect(bad!.includes("was expected")).toBe(place !== "inside");
    }
  });

  test("without an expectation, a type, a unit or a place", () => {
    const nothing = { expected: Number.NaN, band: Number.NaN, sensorType: "", unit: "", location: undefined };
    const text = alertMessage({ ...BASE, ...nothing, reason });
    expect(text).toContain(reason === SILENCE ? "no data from boiler-1 since" : "sensor boiler-1 ");
    expect(text).not.toMatch(/NaN|undefined| {2}|\(\)/);
  });
});

test("the unit 1, of what has none, is not written", () => {
  expect(withUnit("61.5", "C")).toBe("61.5 C");
  expect(withUnit("61.5", "1")).toBe("61.5");
  expect(withUnit("61.5", "")).toBe("61.5");
  expect(alertMessage({ ...BASE, unit: "1", reason: SILENCE })).not.toMatch(/\d 1\b/);
});

test.each([
  [4e6, "4 s"],
  [59.4e6, "59 s"],
  [90e6, "2 min"],
  [3600e6, "1 h"],
  [22_320e6, "6 h 12 min"],
  [90_000e6, "1 d 1 h"],
  [2 * 86_400e6, "2 d"],
  [-5, "0 s"],
])("%d microseconds are %s", (us, text) => {
  expect(duration(us)).toBe(text);
});

test("an instant is told in UTC to the second, also before 1970", () => {
  expect(instant(SINCE_US + 999_999)).toBe("2026-11-22 23:43:28 UTC");
  expect(instant(-1e6)).toBe("1969-12-31 23:59:59 UTC");
});

describe("the message of a renamed sensor", () => {
  const reasons = REASONS.map((name, reason) => ({ name, reason }));

  test.each(reasons)("names it by its new id, and nothing else of it is changed: $name", ({ reason }) => {
    for (const sensorType of ["temperature", "", "rate of a"]) {
      const of = (sensorId: string) => alertMessage({ ...BASE, sensorType, reason, sensorId });
      // Also an id that stands in the rest of the sentence.
      for (const before of ["a", "score", "boiler-1", "a of b: sensor x"])
        expect(renamedMessage(of(before), sensorType, before, "hall-2/boiler")).toBe(of("hall-2/boiler"));
    }
  });

  test("is as it was where it names another one", () => {
    const message = alertMessage({ ...BASE, sensorId: "boiler-10" });
    expect(renamedMessage(message, BASE.sensorType, "boiler-1", "x")).toBe(message);
  });
});
