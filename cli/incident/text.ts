/** Incidents as lines of a terminal. */

import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { counted } from "../../formats/counted.ts";
import {
  type Incident,
  IncidentKind,
  type IncidentMember,
  IncidentState,
} from "../../gen/es/telltale/v1/incident_pb.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { inert } from "../text.ts";

/** One line: when it began, how severe, what became of it, which, what. */
export function incidentLine(incident: Incident, what = enumName(IncidentState, incident.state)): string {
  const { openedAt, worstSeverity, id, summary } = incident;
  return `${time(openedAt)}  ${enumName(Severity, worstSeverity).padEnd(8)} ${what.padEnd(8)} #${id}  ${inert(summary)}`;
}

export function incidentLines(incident: Incident): string[] {
  const { id, kind, summary, openedAt, closedAt, originSensorId, originAlertId, mergedIncidentIds: merged } = incident;
  const { alertCount, openCount, acknowledgedCount, sensorCount, flood } = incident;
  const until = closedAt === undefined ? "open" : `closed ${time(closedAt)}`;
  return [
    `incident ${id} (${enumName(IncidentKind, kind)}): ${inert(summary)}`,
    `  since ${time(openedAt)}, ${until}`,
    `  ${counted(alertCount, "alert")} of ${counted(sensorCount, "sensor")}: ${openCount} open, ${acknowledgedCount} acknowledged`,
    `  probable origin: ${inert(originSensorId)} (alert ${originAlertId})`,
    ...(flood === undefined
      ? []
      : [
          `  flood: more than ${counted(flood.limitAlerts, "alert")} in ${flood.windowSeconds} s, at most ${flood.peakAlerts}`,
        ]),
    ...(merged.length === 0 ? [] : [`  with incidents found to be part of it: ${merged.join(", ")}`]),
  ];
}

export function memberLine({
  alertId,
  sensorId,
  severity,
  openedAt,
  closedAt,
  acknowledged,
  reason,
}: IncidentMember): string {
  const state = closedAt === undefined ? "open" : "closed";
  const seen = acknowledged ? ", acknowledged" : "";
  return `  ${time(openedAt)}  ${enumName(Severity, severity).padEnd(8)} #${alertId}  ${inert(sensorId)} (${state}${seen}): ${inert(reason?.text ?? "")}`;
}

function time(at: Timestamp | undefined): string {
  return at === undefined ? "" : timestampDate(at).toISOString();
}
