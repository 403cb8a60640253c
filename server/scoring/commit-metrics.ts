import { fromBinary } from "@bufbuild/protobuf";
import { AlertEventSchema, AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { SEVERITY_NAMES } from "../detect/index.ts";
import { enumName } from "../lib/enum-name.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { CommitNotice } from "./messages.ts";

/** Counts what a commit of this process did: summed over processes, each reading once. */
export function countCommit(metrics: Metrics, n: CommitNotice): void {
  for (const [type, readings] of n.byType) metrics.countStored(type, readings);
  n.bySeverity.forEach((anomalies, severity) => {
    if (anomalies > 0) metrics.anomaliesDetected.inc({ severity: SEVERITY_NAMES[severity] ?? "" }, anomalies);
  });
  metrics.dataProcessingSeconds.observe(Math.max(0, n.lagMs) / 1000);
  metrics.clockBehind.set({ partition: String(n.partition) }, n.clockBehindMs / 1000);
  metrics.batchReadings.observe({ stage: "commit" }, n.readings);
  metrics.scoreSeconds.observe(n.scoreMs / 1000);
  metrics.commitSeconds.observe(n.commitMs / 1000);
  const outcomes = { accepted: n.readings, late: n.late, duplicate: n.duplicates, conflicting: n.conflicts };
  for (const [outcome, readings] of Object.entries(outcomes)) {
    if (readings > 0) metrics.outcomes.inc({ outcome }, readings);
  }
  const { readings: setAside, controls } = n.quarantined;
  if (setAside > 0) {
    metrics.quarantined.inc({ kind: "reading" }, setAside);
    metrics.outcomes.inc({ outcome: "rejected" }, setAside);
    metrics.refusals.inc({ reason: "quarantined" }, setAside);
  }
  if (controls > 0) metrics.quarantined.inc({ kind: "control" }, controls);
  if (n.unitChanges > 0) metrics.unitChanges.inc(n.unitChanges);
  for (const bytes of n.events) {
    const { type } = fromBinary(AlertEventSchema, bytes);
    metrics.alertTransitions.inc({ type: enumName(AlertEventType, type) });
  }
}
