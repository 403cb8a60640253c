/** Alerts as rows of the store. */
import type { Row } from "postgres";
import { hex } from "../postgres/literal.ts";
import type { AlertEventRow, AlertRow } from "./store.ts";

export function alertOf(r: Row): AlertRow {
  return {
    id: r.id,
    sensorId: r.sensor_id,
    sensorType: r.sensor_type,
    alertType: r.alert_type,
    severity: r.severity,
    message: r.message,
    score: r.score,
    value: r.value,
    threshold: r.threshold,
    openedUs: r.opened_us,
    lastSeenUs: r.last_seen_us,
    closedUs: r.closed_us,
    acknowledgedUs: r.acknowledged_us,
    acknowledgedBy: r.acknowledged_by,
    resolvedBy: r.resolved_by,
    state: r.state,
    readings: r.readings,
    detector: r.detector,
    confidence: r.confidence,
    expected: r.expected,
    modelVersion: r.model_version,
    ...(r.labelled_us === null ? {} : { label: labelOf(r) }),
  };
}

/** For whoever decides: of the sensor by its key, which the row has beside what is shown. */
export function keyedAlertOf(r: Row): AlertRow {
  return { ...alertOf(r), sensorId: r.key };
}

function labelOf(r: Row): NonNullable<AlertRow["label"]> {
  return { correct: r.label, labelledUs: r.labelled_us, labelledBy: r.labelled_by, comment: r.label_comment };
}

/** For `put_alerts` of the database. */
export function alertColumns(partition: number, a: AlertRow) {
  return {
    id: a.id,
    partition,
    sensor_id: a.sensorId,
    sensor_type: a.sensorType,
    alert_type: a.alertType,
    severity: a.severity,
    message: a.message,
    score: a.score,
    value: a.value,
    threshold: a.threshold,
    opened_us: a.openedUs,
    last_seen_us: a.lastSeenUs,
    closed_us: a.closedUs,
    acknowledged_us: a.acknowledgedUs,
    acknowledged_by: a.acknowledgedBy,
    resolved_by: a.resolvedBy,
    state: a.state,
    readings: a.readings,
    detector: a.detector,
    confidence: a.confidence,
    expected: a.expected,
    model_version: a.modelVersion,
  };
}

/** For `put_alert_events` of the database. */
export function eventColumns(partition: number, e: AlertEventRow) {
  return { partition, number: e.number, alert_id: e.alertId, event: hex(e.event) };
}
