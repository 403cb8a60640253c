/**
 * Incidents as a fold over alert events: `(state, event) → state`, without I/O, clock or chance. The same events in the same order with the
 * same settings give the same incidents, to the bit. The state is changed in place; what has changed is in `state.changes`.
 */
import { IncidentReasonKind } from "../../gen/es/telltale/v1/incident_pb.ts";
import { AlertEventType } from "../../gen/es/telltale/v1/watch_pb.ts";
import { relatedOpen } from "./cooccurrence.ts";
import { type Flooding, floodOf } from "./flood.ts";
import { learn } from "./history.ts";
import { accepts, addMember, beginIncident, canMerge, memberChanged, merge } from "./incident.ts";
import type { Input } from "./input.ts";
import { keysOf, readKey } from "./keys.ts";
import { FIRST, type Incident, type Member, type Reason, type Span } from "./model.ts";
import type { IncidentSettings } from "./settings.ts";
import type { State } from "./state.ts";
import { sweep } from "./sweep.ts";

/** What leaves the memory is looked for once in so many events. */
const SWEEP_EVERY = 256;

const KINDS = {
  sensor: IncidentReasonKind.SAME_SENSOR,
  asset: IncidentReasonKind.ASSET,
  attribute: IncidentReasonKind.ATTRIBUTE,
} as const;

/** Incidents that a new alert belongs to, each with the strongest reason. */
type Links = Map<Incident, Reason>;

export function fold(state: State, input: Input, settings: IncidentSettings): void {
  state.seq = input.seq;
  state.newestUs = Math.max(state.newestUs, input.openedUs, input.closedUs ?? -1);
  if (state.firstUs < 0) state.firstUs = input.openedUs;
  const known = state.members.get(input.alertId);
  if (known !== undefined) update(state, known, input);
  else if (input.type === AlertEventType.OPENED) open(state, input, settings);
  else if (input.acknowledged) state.changes.lateAcknowledged.push({ alertId: input.alertId, seq: input.seq });
  if (input.seq % SWEEP_EVERY === 0) sweep(state, settings);
}

/** What became of an alert. */
function update(state: State, member: Member, { seq, severity, closedUs, acknowledged }: Input): void {
  const incident = state.incidents.get(member.incidentId)!;
  const wasOpen = member.closedUs === undefined;
  const wasAcknowledged = member.acknowledged;
  // An alert only grows more severe, and what is over stays over.
  member.severity = Math.max(member.severity, severity);
  member.closedUs ??= closedUs;
  member.acknowledged ||= acknowledged;
  memberChanged(state, incident, { member, wasOpen, wasAcknowledged, seq });
}

function open(state: State, input: Input, settings: IncidentSettings): void {
  const keys = keysOf(input, settings.attributes);
  const links: Links = new Map();
  linkByKeys(state, links, { keys, openedUs: input.openedUs, windowUs: settings.windowUs });
  linkByHistory(state, links, input, settings.windowUs);
  const flooding = floodOf(state, input, settings);
  if (flooding !== undefined) linkByFlood(state, links, flooding);
  learn(state, input, settings.windowUs);
  const incident = place(state, links, { input, keys, settings });
  if (flooding === undefined) return;
  incident.floodOwner ??= flooding.owner.owner;
  incident.floodPeak = Math.max(incident.floodPeak, flooding.alerts);
}

/** By what its sensor has in common with those of other alerts that are open, or were within the window. */
function linkByKeys(
  state: State,
  links: Links,
  { keys, openedUs, windowUs }: { keys: readonly string[]; openedUs: number; windowUs: number },
): void {
  for (const key of keys) {
    for (const incident of state.byKey.get(key) ?? []) {
      const span = incident.spans.get(key)!;
      if (links.has(incident) || !isNear(span, openedUs, windowUs)) continue;
      const { kind, name, value } = readKey(key);
      const { alertId: otherAlert, sensorId: otherSensor } = span.last;
      links.set(incident, { kind: KINDS[kind], key: name, value, otherAlert, otherSensor });
    }
  }
}

function isNear({ firstUs, untilUs, open }: Span, us: number, windowUs: number): boolean {
  return us >= firstUs - windowUs && (open > 0 || us <= untilUs + windowUs);
}

function linkByHistory(state: State, links: Links, input: Input, windowUs: number): void {
  for (const { sensor, evidence } of relatedOpen(state, input, windowUs)) {
    const { alertId: otherAlert, sensorId: otherSensor } = sensor;
    const reason = { kind: IncidentReasonKind.CO_OCCURRENCE, otherAlert, otherSensor, ...evidence };
    linkByAlert(state, links, otherAlert, reason);
  }
}

function linkByFlood(state: State, links: Links, { owner, with: alerts }: Flooding): void {
  for (const otherAlert of alerts) {
    const otherSensor = state.members.get(otherAlert)?.sensorId;
    if (otherSensor === undefined) continue;
    const reason = { kind: IncidentReasonKind.FLOOD, value: owner.owner, otherAlert, otherSensor };
    linkByAlert(state, links, otherAlert, reason);
  }
}

function linkByAlert(state: State, links: Links, alertId: number, reason: Reason): void {
  const member = state.members.get(alertId);
  const incident = member === undefined ? undefined : state.incidents.get(member.incidentId);
  if (incident !== undefined && !links.has(incident)) links.set(incident, reason);
}

/** Puts the alert into the oldest incident that it belongs to, and the others into that one as well; or begins one. */
function place(
  state: State,
  links: Links,
  { input, keys, settings }: { input: Input; keys: readonly string[]; settings: IncidentSettings },
): Incident {
  const oldestFirst = [...links.keys()].sort((x, y) => x.seq - y.seq);
  const into = oldestFirst.find((incident) => accepts(incident, input.openedUs, settings.maxAgeUs));
  if (into === undefined)
    return beginIncident(state, memberOf(input, { incidentId: input.alertId, keys, reason: FIRST }));
  const member = memberOf(input, { incidentId: into.id, keys, reason: links.get(into)! });
  addMember(state, into, member);
  for (const other of oldestFirst) {
    if (other === into || !canMerge(into, other, settings.maxAgeUs)) continue;
    merge(state, into, other, seenFromOther(other, links.get(other)!, input));
  }
  return into;
}

/** What connects the alert with an incident, as the reason of that incident's first alert. */
function seenFromOther({ id }: Incident, link: Reason, { alertId, sensorId }: Input): Reason {
  const { otherAlert: ownAlert, otherSensor: ownSensor } = link;
  return { ...link, otherAlert: alertId, otherSensor: sensorId, ...(ownAlert === id ? {} : { ownAlert, ownSensor }) };
}

function memberOf(
  input: Input,
  { incidentId, keys, reason }: { incidentId: number; keys: readonly string[]; reason: Reason },
): Member {
  const { seq, alertId, sensorId, alertType, severity, openedUs, closedUs, acknowledged, facts } = input;
  return {
    ...{ alertId, incidentId, firstIncidentId: incidentId, seq, changedSeq: seq },
    ...{ sensorId, alertType, severity, openedUs, closedUs, acknowledged },
    ...{ owner: facts.owner, asset: facts.asset, keys, reason },
  };
}
