import { expect, test } from "vitest";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import { SEVERITIES, severityName, severityOf, shortMessage } from "./severity.ts";

test("names and values of severities belong together", () => {
  for (const name of SEVERITIES) expect(severityName(severityOf(name))).toBe(name);
  expect(severityOf("")).toBe(Severity.UNSPECIFIED);
});

test("a list leaves out of the sentence what stands beside it", () => {
  const what = "vibration of vibration-003 (hall 1) above normal since 2026-11-29 17:58:00 UTC; medium: 6.155 mm/s";
  expect(shortMessage({ message: `Anomaly detected with score 0.6360: ${what}` })).toBe(what);
  expect(
    shortMessage({
      message: `Anomaly detected with score 0.6360, recovered 2026-11-29 18:21:00 UTC after 23 min: ${what}`,
    }),
  ).toBe(what);
  expect(shortMessage({ message: "Sensor boiler-1 is silent" })).toBe("Sensor boiler-1 is silent");
});
