/** One incident: what it is made of, and how it grows. */
import { MAX_INCIDENT_ALERTS } from "./limits.ts";
import type { Incident, Member, Reason, Span } from "./model.ts";
import type { State } from "./state.ts";

export function beginIncident(state: State, member: Member): Incident {
  const incident = emptyIncident(member, { seq: member.seq, changedSeq: member.seq });
  state.incidents.set(incident.id, incident);
  addMember(state, incident, member);
  return incident;
}

/** @param first any alert of it */
export function emptyIncident(first: Member, { seq, changedSeq }: { seq: number; changedSeq: number }): Incident {
  return {
    ...{ id: first.incidentId, seq, changedSeq, members: [], spans: new Map(), open: 0, acknowledged: 0 },
    ...{ origin: first, worst: first, lastUs: first.openedUs, closedUs: undefined },
    ...{ floodOwner: undefined, floodPeak: 0, live: true },
  };
}

/** Whether an alert that opened then may join. */
export function accepts({ members, origin, lastUs }: Incident, openedUs: number, maxAgeUs: number): boolean {
  const ageUs = Math.max(lastUs, openedUs) - Math.min(origin.openedUs, openedUs);
  return members.length < MAX_INCIDENT_ALERTS && ageUs <= maxAgeUs;
}

export function canMerge(into: Incident, other: Incident, maxAgeUs: number): boolean {
  const ageUs = Math.max(into.lastUs, other.lastUs) - Math.min(into.origin.openedUs, other.origin.openedUs);
  return into.members.length + other.members.length <= MAX_INCIDENT_ALERTS && ageUs <= maxAgeUs;
}

export function addMember(state: State, incident: Incident, member: Member): void {
  attach(state, incident, member);
  incident.changedSeq = member.seq;
  state.changes.members.set(member.alertId, member);
  state.changes.incidents.set(incident.id, incident);
}

/** Takes an alert in, without a change of the store. Of one incident they come in the order of their events. */
export function attach(state: State, incident: Incident, member: Member): void {
  const { closedUs, openedUs, keys } = member;
  state.members.set(member.alertId, member);
  incident.members.push(member);
  if (closedUs === undefined) incident.open++;
  if (member.acknowledged) incident.acknowledged++;
  incident.lastUs = Math.max(incident.lastUs, openedUs);
  incident.closedUs = latest(incident.closedUs, closedUs);
  incident.origin = earlier(incident.origin, member);
  incident.worst = worse(incident.worst, member);
  const untilUs = Math.max(openedUs, closedUs ?? openedUs);
  for (const key of keys) {
    addSpan(state, incident, key, { firstUs: openedUs, last: member, open: closedUs === undefined ? 1 : 0, untilUs });
  }
}

function addSpan(state: State, incident: Incident, key: string, span: Span): void {
  const before = incident.spans.get(key);
  if (before === undefined) {
    incident.spans.set(key, span);
    const incidents = state.byKey.get(key);
    if (incidents === undefined) state.byKey.set(key, new Set([incident]));
    else incidents.add(incident);
    return;
  }
  before.firstUs = Math.min(before.firstUs, span.firstUs);
  before.last = newer(before.last, span.last);
  before.open += span.open;
  before.untilUs = Math.max(before.untilUs, span.untilUs);
}

/** An alert of the incident has other values than before. */
export function memberChanged(
  state: State,
  incident: Incident,
  {
    member,
    wasOpen,
    wasAcknowledged,
    seq,
  }: { member: Member; wasOpen: boolean; wasAcknowledged: boolean; seq: number },
): void {
  const { closedUs, keys } = member;
  const open = Number(closedUs === undefined) - Number(wasOpen);
  incident.open += open;
  incident.acknowledged += Number(member.acknowledged) - Number(wasAcknowledged);
  incident.closedUs = latest(incident.closedUs, closedUs);
  incident.worst = worse(incident.worst, member);
  for (const key of keys) {
    const span = incident.spans.get(key)!;
    span.open += open;
    span.untilUs = Math.max(span.untilUs, closedUs ?? span.untilUs);
  }
  member.changedSeq = seq;
  incident.changedSeq = seq;
  state.changes.members.set(member.alertId, member);
  state.changes.incidents.set(incident.id, incident);
}

/** All of `other` becomes part of `into`, which is older. `reason`: what connects them. */
export function merge(state: State, into: Incident, other: Incident, reason: Reason): void {
  leave(state, other);
  for (const member of other.members) {
    if (member.alertId === other.id) member.reason = reason;
    member.incidentId = into.id;
    member.changedSeq = state.seq;
    into.members.push(member);
    state.changes.members.set(member.alertId, member);
  }
  into.open += other.open;
  into.acknowledged += other.acknowledged;
  into.lastUs = Math.max(into.lastUs, other.lastUs);
  into.closedUs = latest(into.closedUs, other.closedUs);
  into.origin = earlier(into.origin, other.origin);
  into.worst = worse(into.worst, other.worst);
  into.floodOwner ??= other.floodOwner;
  into.floodPeak = Math.max(into.floodPeak, other.floodPeak);
  into.changedSeq = state.seq;
  for (const [key, span] of other.spans) addSpan(state, into, key, span);
  state.changes.incidents.set(other.id, undefined);
}

/** Takes it out of the memory, not its alerts. */
export function leave(state: State, incident: Incident): void {
  state.incidents.delete(incident.id);
  for (const key of incident.spans.keys()) {
    const incidents = state.byKey.get(key)!;
    incidents.delete(incident);
    if (incidents.size === 0) state.byKey.delete(key);
  }
}

function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : Math.max(one, other ?? one);
}

function earlier(one: Member, other: Member): Member {
  return isBefore(other, one) ? other : one;
}

function isBefore(one: Member, other: Member): boolean {
  return one.openedUs < other.openedUs || (one.openedUs === other.openedUs && one.alertId < other.alertId);
}

/** The first of the worst severity. */
function worse(one: Member, other: Member): Member {
  if (one.severity !== other.severity) return one.severity > other.severity ? one : other;
  return isBefore(other, one) ? other : one;
}

/** By event time; among equals the one that came later. */
function newer(one: Member, other: Member): Member {
  if (one.openedUs !== other.openedUs) return one.openedUs > other.openedUs ? one : other;
  return one.seq > other.seq ? one : other;
}
