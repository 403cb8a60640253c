/** Incidents in the form of the contract, with words for people. */
import { create } from "@bufbuild/protobuf";
import {
  type Incident,
  IncidentKind,
  type IncidentMember,
  IncidentMemberSchema,
  IncidentReasonKind,
  IncidentReasonSchema,
  IncidentSchema,
  IncidentState,
} from "../../gen/es/telltale/v1/incident_pb.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Reason } from "../incidents/model.ts";
import type { IncidentSettings } from "../incidents/settings.ts";
import type { IncidentView, MemberView } from "../incidents/views.ts";
import { enumName } from "../lib/enum-name.ts";
import { toTimestamp } from "../lib/time.ts";

export function toIncident(view: IncidentView, settings: IncidentSettings): Incident {
  const { flood, closedUs, origin, worst } = view;
  return create(IncidentSchema, {
    id: BigInt(view.id),
    kind: flood === undefined ? IncidentKind.RELATED : IncidentKind.FLOOD,
    state: view.open > 0 ? IncidentState.OPEN : IncidentState.CLOSED,
    summary: summaryOf(view, settings),
    openedAt: toTimestamp(view.openedUs),
    lastOpenedAt: toTimestamp(view.lastUs),
    ...(closedUs === undefined ? {} : { closedAt: toTimestamp(closedUs) }),
    ...{ originAlertId: BigInt(origin.alertId), originSensorId: origin.sensorId },
    ...{ worstSeverity: view.severity as Severity, worstAlertId: BigInt(worst.alertId), worstSensorId: worst.sensorId },
    ...{ alertCount: BigInt(view.alerts), openCount: BigInt(view.open) },
    ...{ acknowledgedCount: BigInt(view.acknowledged), sensorCount: BigInt(view.sensors) },
    ...(flood === undefined ? {} : { flood: floodOf(flood, settings) }),
    mergedIncidentIds: view.merged.map(BigInt),
  });
}

function floodOf({ owner, peak }: NonNullable<IncidentView["flood"]>, settings: IncidentSettings) {
  const { floodAlerts: limitAlerts, floodWindowUs } = settings;
  return { owner, peakAlerts: BigInt(peak), limitAlerts, windowSeconds: floodWindowUs / 1e6 };
}

function summaryOf(view: IncidentView, { floodWindowUs }: IncidentSettings): string {
  const { flood, alerts, sensors, severity, origin, worst } = view;
  const worstName = enumName(Severity, severity);
  if (alerts === 1) return `One ${worstName} alert, of ${origin.sensorId}`;
  const size = `${alerts} alerts of ${sensors === 1 ? "one sensor" : `${sensors} sensors`}`;
  const course = `worst ${worstName} of ${worst.sensorId}; began with ${origin.sensorId}`;
  if (flood === undefined) return `${size}, ${course}`;
  const whose = flood.owner === "" ? "without an owner" : `of ${flood.owner}`;
  return `Alarm flood ${whose}: ${size}, up to ${flood.peak} in ${inWords(floodWindowUs / 1e6)}; ${course}`;
}

function inWords(seconds: number): string {
  const [unit, count] = seconds % 60 === 0 ? ["minute", seconds / 60] : ["second", seconds];
  return new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay: "long" }).format(count);
}

/** What a caller sees of the incident around an alert. */
export interface Seen {
  readonly view: IncidentView;
  /** Whether he may know of a sensor. */
  readonly sees: (sensorId: string) => boolean;
}

export function toMember(member: MemberView, seen: Seen): IncidentMember {
  const { alertId, sensorId, alertType, severity, openedUs, closedUs, acknowledged, owner, asset } = member;
  const reason = shown(member, seen);
  return create(IncidentMemberSchema, {
    ...{ alertId: BigInt(alertId), sensorId, alertType, severity: severity as Severity, acknowledged, owner, asset },
    openedAt: toTimestamp(openedUs),
    ...(closedUs === undefined ? {} : { closedAt: toTimestamp(closedUs) }),
    reason: create(IncidentReasonSchema, {
      ...{ kind: reason.kind, key: reason.key ?? "", value: reason.value ?? "", text: textOf(reason) },
      ...{ otherAlertId: BigInt(reason.otherAlert ?? 0), otherSensorId: reason.otherSensor ?? "" },
      ...{ coOpenings: BigInt(reason.coOpenings ?? 0), expected: reason.expected ?? 0, pValue: reason.pValue ?? 0 },
    }),
  });
}

/** What the caller may know of it: nothing of an alert that he may not see. */
function shown({ alertId, reason }: MemberView, { view, sees }: Seen): Reason {
  if (alertId === view.id) return { kind: IncidentReasonKind.FIRST };
  const { kind, value = "", otherSensor, ownSensor } = reason;
  const hidden = [otherSensor, ownSensor].some((sensorId) => sensorId !== undefined && !sees(sensorId));
  // Of a flood that he sees, any of its alerts may have been the one that made it one.
  if (kind === IncidentReasonKind.FLOOD && view.flood !== undefined && !hidden) return reason;
  if (kind === IncidentReasonKind.FLOOD && view.flood?.owner === value && ownSensor === undefined)
    return { kind, value };
  const told = kind !== IncidentReasonKind.FIRST && kind !== IncidentReasonKind.FLOOD && !hidden;
  return told ? reason : { kind: IncidentReasonKind.INDIRECT };
}

function textOf({ ownAlert, ownSensor, ...reason }: Reason): string {
  return ownAlert === undefined ? why(reason) : `came with ${ownSensor} (alert ${ownAlert}): ${why(reason)}`;
}

function why({ kind, key, value, otherAlert, otherSensor, coOpenings, expected = 0, pValue = 0 }: Reason): string {
  const other = `${otherSensor} (alert ${otherAlert})`;
  switch (kind) {
    case IncidentReasonKind.FIRST:
      return "the incident began with it";
    case IncidentReasonKind.SAME_SENSOR:
      return `alert ${otherAlert} is of the same sensor`;
    case IncidentReasonKind.ASSET:
      return `shares the asset ${value} with ${other}`;
    case IncidentReasonKind.ATTRIBUTE:
      return `shares ${key}=${value} with ${other}`;
    case IncidentReasonKind.CO_OCCURRENCE:
      return `opened together with ${other} ${coOpenings} times before, ${short(expected)} expected by chance (p = ${short(pValue)})`;
    case IncidentReasonKind.FLOOD:
      return `opened in an alarm flood ${value === "" ? "without an owner" : `of ${value}`}`;
    default:
      return "connected through other alerts of the incident";
  }
}

function short(value: number): string {
  return String(Number(value.toPrecision(2)));
}
