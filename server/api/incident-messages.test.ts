import { expect, test } from "vitest";
import { IncidentReasonKind } from "../../gen/es/telltale/v1/incident_pb.ts";
import type { Reason } from "../incidents/model.ts";
import type { IncidentView, MemberView } from "../incidents/views.ts";
import { toIncident, toMember } from "./incident-messages.ts";

const SETTINGS = { windowUs: 1, attributes: [], floodAlerts: 3, floodWindowUs: 600e6, maxAgeUs: 1 };

const view: IncidentView = {
  ...{ id: 1, firstSeq: 1, changedSeq: 1, openedUs: 0, lastUs: 0, closedUs: undefined, severity: 4 },
  ...{ origin: { alertId: 1, sensorId: "a/1" }, worst: { alertId: 1, sensorId: "a/1" } },
  ...{ alerts: 5, open: 5, acknowledged: 0, sensors: 5, flood: { owner: "Ann", peak: 4 }, merged: [] },
};

/** The reason of an alert of a/2, as whoever may see a/ is told it. */
function toldTo(reason: Reason, seen: IncidentView = view) {
  const member: MemberView = {
    ...{ alertId: 2, sensorId: "a/2", alertType: "anomaly_detection", severity: 4, openedUs: 0, closedUs: undefined },
    ...{ acknowledged: false, owner: "Ann", asset: "", reason },
  };
  return toMember(member, { view: seen, sees: (sensorId) => sensorId.startsWith("a/") }).reason!;
}

test("the summary of a flood names its window in whole minutes, or in seconds", () => {
  const summaryAt = (seconds: number) => toIncident(view, { ...SETTINGS, floodWindowUs: seconds * 1e6 }).summary;
  expect([600, 60, 100, 1].map((seconds) => /up to 4 in ([^;]*);/.exec(summaryAt(seconds))![1])).toEqual([
    "10 minutes",
    "1 minute",
    "100 seconds",
    "1 second",
  ]);
});

test("a reason that holds for another alert than its own says so, and to whom that is hidden nothing", () => {
  const reason = { kind: IncidentReasonKind.ATTRIBUTE, key: "gateway", value: "7", otherAlert: 9, otherSensor: "a/9" };
  expect(toldTo(reason).text).toBe("shares gateway=7 with a/9 (alert 9)");
  expect(toldTo({ ...reason, ownAlert: 3, ownSensor: "a/3" }).text).toBe(
    "came with a/3 (alert 3): shares gateway=7 with a/9 (alert 9)",
  );
  expect(toldTo({ ...reason, ownAlert: 3, ownSensor: "b/3" })).toMatchObject({
    ...{ kind: IncidentReasonKind.INDIRECT, key: "", value: "", otherSensorId: "" },
    text: "connected through other alerts of the incident",
  });
});

test("of a flood through hidden alerts its owner is told only where it is the flood that the caller sees", () => {
  const reason = { kind: IncidentReasonKind.FLOOD, value: "Ann", otherAlert: 9, otherSensor: "b/9" };
  expect(toldTo(reason)).toMatchObject({ kind: IncidentReasonKind.FLOOD, value: "Ann", otherSensorId: "" });
  const ofAnother = { ...reason, value: "Bob" };
  expect(toldTo(ofAnother)).toMatchObject({ kind: IncidentReasonKind.INDIRECT, value: "" });
  expect(toldTo(ofAnother).text).not.toContain("Bob");
  expect(toldTo(reason, { ...view, flood: undefined }).kind).toBe(IncidentReasonKind.INDIRECT);
});
