import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { AlertSchema, AlertSeverityStepSchema } from "../../gen/web/telltale/v1/alert_pb.ts";
import { NotificationDeliverySchema } from "../../gen/web/telltale/v1/notification_pb.ts";
import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import { timelineOf } from "./timeline.ts";

const at = (second: number) => timestampFromMs(second * 1_000);
const delivery = (second: number, receiver: string, resolved = false) =>
  create(NotificationDeliverySchema, { createdAt: at(second), receiver, kind: "email", resolved });
const textOf = (...given: Parameters<typeof timelineOf>) =>
  timelineOf(...given).map(
    ({ ms, what, severity, note }) => `${ms / 1_000} ${what}${severity ? ` ${severity}` : ""}${note && `: ${note}`}`,
  );
const came = (second: number, severity: Severity) =>
  create(AlertSeverityStepSchema, { at: at(second), severity, anomalyScore: 0.9 });

test("what happened to an alert is one list, in order, with who was told in between", () => {
  const alert = create(AlertSchema, {
    ...{ openedAt: at(10), acknowledgedAt: at(40), acknowledgedBy: "ann", closedAt: at(50), resolvedBy: "bob" },
    ...{ labelledAt: at(60), labelledBy: "ann", labelCorrect: false, labelComment: "a test" },
  });
  const deliveries = [delivery(50, "night", true), delivery(20, "night"), delivery(10, "day")];
  const severities = [came(10, Severity.LOW), came(20, Severity.HIGH), came(30, Severity.CRITICAL)];
  expect(textOf(alert, { severities, deliveries })).toEqual([
    "10 Opened low",
    "10 Told day by email",
    "20 Raised high",
    "20 Told night by email",
    "30 Raised critical",
    "40 Acknowledged by ann",
    "50 Resolved by bob",
    "50 Told night by email",
    "60 Labelled wrong by ann: a test",
  ]);
});

test("one that is open has no end, and one that recovered ended by itself", () => {
  expect(textOf(create(AlertSchema, { openedAt: at(10) }), { deliveries: [] })).toEqual(["10 Opened"]);
  expect(textOf(create(AlertSchema, { openedAt: at(10), closedAt: at(12) }), { deliveries: [] })).toEqual([
    "10 Opened",
    "12 Ended by itself",
  ]);
});
