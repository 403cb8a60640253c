import { create } from "@bufbuild/protobuf";
import { type Alert, AlertSchema, type AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import type { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { toTimestamp } from "../lib/time.ts";
import type { AlertRow } from "../store/store.ts";

function labelOf({ label }: AlertRow) {
  if (label === undefined) return {};
  const { correct, labelledUs, labelledBy, comment } = label;
  return {
    ...(correct === null ? {} : { labelCorrect: correct }),
    labelledAt: toTimestamp(labelledUs),
    labelledBy,
    labelComment: comment,
  };
}

/** The contract's form of a stored alert. */
export function toAlert(a: AlertRow): Alert {
  return create(AlertSchema, {
    id: BigInt(a.id),
    sensorId: a.sensorId,
    sensorType: a.sensorType,
    alertType: a.alertType,
    severity: a.severity as Severity,
    message: a.message,
    anomalyScore: a.score,
    sensorValue: a.value,
    ...(a.threshold === null ? {} : { threshold: a.threshold }),
    openedAt: toTimestamp(a.openedUs),
    lastSeenAt: toTimestamp(a.lastSeenUs),
    ...(a.closedUs === null ? {} : { closedAt: toTimestamp(a.closedUs) }),
    ...(a.acknowledgedUs === null ? {} : { acknowledgedAt: toTimestamp(a.acknowledgedUs) }),
    acknowledgedBy: a.acknowledgedBy,
    resolvedBy: a.resolvedBy,
    state: a.state as AlertState,
    readingCount: BigInt(a.readings),
    detector: a.detector,
    confidence: a.confidence,
    ...(a.expected === null ? {} : { expected: a.expected }),
    modelVersion: a.modelVersion,
    ...labelOf(a),
  });
}
