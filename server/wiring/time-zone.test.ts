import { expect, test } from "vitest";
import { timeZoneRules } from "../lib/time-zone.ts";
import { isOther } from "./time-zone.ts";

test("a time zone is logged where the log has another one or older rules, and UTC only in place of another", () => {
  const { database } = timeZoneRules("Europe/Berlin");
  expect(isOther(undefined, "UTC")).toBe(false);
  expect(isOther(undefined, "Europe/Berlin")).toBe(true);
  expect(isOther({ timeZone: "Europe/Berlin", database }, "Europe/Berlin")).toBe(false);
  expect(isOther({ timeZone: "Europe/Berlin", database }, "UTC")).toBe(true);
  expect(isOther({ timeZone: "Europe/Berlin", database: "2001a" }, "Europe/Berlin")).toBe(true);
  expect(isOther({ timeZone: "Europe/Berlin", database: "2999a" }, "Europe/Berlin")).toBe(false);
});
