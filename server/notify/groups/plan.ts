/**
 * The pure middle of notifications: alerts into groups by the routes, and groups that are due into messages. What it decides depends on the
 * alerts, the configuration, the silences and the time that it is given, and on nothing else.
 */
import { isDeepStrictEqual } from "node:util";
import { channelKeys } from "../config/channel-keys.ts";
import type { EscalationStep, NotifyConfig, Route } from "../config/config.ts";
import { mutedBy } from "../intervals.ts";
import type { KnownAlert } from "../known-alert.ts";
import { routesOf } from "../route.ts";
import { flush, isSettled } from "./flush.ts";
import type { Group } from "./group.ts";
import { escalationNamed, isOfRoute, isTold, membershipsOf, type Roster, type StepPlace } from "./membership.ts";
import { messageOf } from "./message-of.ts";
import type { Planned } from "./planned.ts";
import { flushWithin, type Room } from "./rate.ts";
import type { Entry, State } from "./state.ts";

export interface PlanContext extends Roster {
  readonly routes: ReadonlyMap<string, Route>;
  /** Whether a silence or another alert keeps an open alert back. */
  readonly isSuppressed: (alert: KnownAlert) => boolean;
  readonly externalUrl: string;
  /** Of the receivers that get at most so many messages. */
  readonly rooms?: ReadonlyMap<string, Room>;
  readonly nowUs: number;
}

/** What puts alerts into groups. */
export type Assigning = Pick<PlanContext, "config" | "overrides" | "nowUs">;

/** The alert as it is now, in the groups of the routes that it matches. Groups that it was in keep it, until they have told its end. */
export function put(state: State, alert: KnownAlert, context: Assigning): void {
  const { nowUs } = context;
  const known = state.alerts.get(alert.id);
  if (known === undefined && alert.status === "resolved") return; // nobody heard of it
  const entry: Entry = known ?? { alert, sinceUs: nowUs, groups: new Set() };
  if (entry.alert.status === "resolved" && alert.status === "firing") entry.sinceUs = nowUs;
  entry.alert = alert;
  state.alerts.set(alert.id, entry);
  state.changedAlerts.add(alert.id);
  if (alert.status === "firing") assign(state, entry, context);
  else if (entry.groups.size === 0) state.alerts.delete(alert.id);
}

function assign(state: State, entry: Entry, context: Assigning): void {
  const { config, nowUs } = context;
  const { labels } = entry.alert;
  const before = stepsOf(state, entry);
  const wanted = new Set<string>();
  for (const route of routesOf(config.route, labels)) {
    for (const { key, ...membership } of membershipsOf(route, labels, context)) {
      const { escalation } = membership;
      const afterUs = afterUsOf(escalation, config);
      wanted.add(key);
      let group = state.groups.get(key);
      const isOld = group !== undefined;
      if (group === undefined) {
        // Whoever takes over is told when the step is due, and of a step that is new to the alert a step's wait from now.
        const fromUs = escalation !== undefined && before.has(stepKey(route.id, escalation)) ? entry.sinceUs : nowUs;
        const nextUs = Math.max(nowUs + route.groupWaitMs * 1_000, fromUs + afterUs);
        group = { key, route: route.id, ...membership, nextUs, sequence: nowUs, told: [], members: new Set() };
        state.groups.set(key, group);
      }
      const isNew = state.join(entry, group);
      if (isOld && !(isNew && escalation !== undefined)) continue;
      if (isOld) lookBy(group, entry.sinceUs + afterUs, route);
      state.changedGroups.add(key);
    }
  }
  leaveUntold(state, entry, wanted);
}

/** Steps of routes in which the alert is, whoever they tell. */
function stepsOf(state: State, { groups }: Entry): Set<string> {
  const found = [...groups].map((key) => state.groups.get(key)!);
  return new Set(
    found.flatMap(({ route, escalation }) => (escalation === undefined ? [] : stepKey(route, escalation))),
  );
}

function stepKey(route: string, { name, step }: StepPlace): string {
  return JSON.stringify([route, name, step]);
}

/** An alert stays in those groups of former routes alone that have told of it. */
function leaveUntold(state: State, { alert: { id }, groups }: Entry, wanted: ReadonlySet<string>): void {
  for (const key of [...groups].filter((each) => !wanted.has(each))) {
    const group = state.groups.get(key)!;
    if (group.told.some((told) => (told?.alerts[id] ?? "") !== "")) continue;
    state.leave(id, group);
    if (group.members.size === 0) state.remove(group);
  }
}

/** An escalation tells of an alert when that is old enough, and not only at the group's next look, unless it has told lately. */
function lookBy(group: Group, dueUs: number, { groupIntervalMs }: Route): void {
  const toldUs = Math.max(...group.told.map((told) => told?.atUs ?? Number.NEGATIVE_INFINITY));
  group.nextUs = Math.min(group.nextUs, Math.max(dueUs, toldUs + groupIntervalMs * 1_000));
}

function afterUsOf(place: StepPlace | undefined, config: NotifyConfig): number {
  return place === undefined ? 0 : stepOf(place, config).afterMs * 1_000;
}

function stepOf({ name, step }: StepPlace, config: NotifyConfig): EscalationStep {
  const found = escalationNamed(config, name)?.steps[step];
  if (found === undefined) throw new Error(`there is a group of step ${step} of the escalation ${name}, which is gone`);
  return found;
}

/** Routes all open alerts anew: what stays where it was keeps what was told of it, and so does what is over and not told yet. */
export function reroute(state: State, context: Assigning & Pick<PlanContext, "routes">): void {
  const open = [...state.alerts.values()].filter(({ alert }) => alert.status === "firing");
  const wanted = new Map<string, { readonly route: Route; readonly receiver: string }>();
  for (const { alert } of open) {
    for (const route of routesOf(context.config.route, alert.labels)) {
      for (const { key, receiver } of membershipsOf(route, alert.labels, context)) wanted.set(key, { route, receiver });
    }
  }
  const keys = new Map(context.config.receivers.map(({ name, channels }) => [name, channelKeys(channels)]));
  for (const group of [...state.groups.values()]) {
    const { route, receiver } = wanted.get(group.key) ?? (hasTold(group) ? placeOfGroup(group, context) : {});
    if (route === undefined || receiver !== group.receiver) {
      state.remove(group);
      continue;
    }
    const told = keys.get(group.receiver)!.map((key) => group.told.find((each) => each?.channel === key));
    if (route.id === group.route && isDeepStrictEqual(told, [...group.told])) continue;
    // Its place in the tree is another, or those of its channels are.
    state.groups.set(group.key, { ...group, route: route.id, told });
    state.changedGroups.add(group.key);
  }
  for (const entry of open) {
    state.alerts.set(entry.alert.id, entry);
    assign(state, entry, context);
  }
}

/** Whether somebody has yet to hear the end of what the group told. */
function hasTold({ told }: Group): boolean {
  return told.some((each) => Object.values(each?.alerts ?? {}).some((severity) => severity !== ""));
}

/** Of a group to which no open alert belongs any more: they are over, have other routes, or its receiver is not on call any more. */
function placeOfGroup(group: Group, { config, routes }: Pick<PlanContext, "config" | "routes">) {
  const isOwn = (route: Route) => isOfRoute(group, route, { config });
  const before = routes.get(group.route);
  const route = before !== undefined && isOwn(before) ? before : routes.values().find(isOwn);
  return { route, receiver: group.receiver };
}

/** Looks at every group that is due, and says what is to be sent. */
export function flushDue(state: State, context: PlanContext): Planned[] {
  const { nowUs, rooms = new Map<string, Room>() } = context;
  const due = [...state.groups.values()].filter(({ nextUs }) => nextUs <= nowUs);
  const free = due.filter(({ receiver }) => !rooms.has(receiver)).flatMap((group) => flushGroup(state, group, context));
  const limited = [...rooms].flatMap(([receiver, room]) => {
    const groups = due.filter((group) => group.receiver === receiver);
    return flushWithin(groups, {
      ...{ room, nowUs, channels: channelsOf(context.config, receiver) },
      alertOf: (id) => state.alerts.get(id)!.alert,
      flush: (group) => flushGroup(state, group, context),
      postpone: (group, untilUs) => {
        group.nextUs = untilUs;
        state.changedGroups.add(group.key);
      },
    });
  });
  return [...free, ...limited];
}

function flushGroup(state: State, group: Group, context: PlanContext): Planned[] {
  const { config, nowUs } = context;
  const route = context.routes.get(group.route);
  if (route === undefined) throw new Error(`group ${group.key} is of the route ${group.route}, which there is not`);
  group.nextUs = nowUs + route.groupIntervalMs * 1_000;
  if (mutedBy(route, config, nowUs) !== undefined) {
    forget(state, group, config); // those that nobody heard of
    return [];
  }
  const members = [...group.members].map((id) => state.alerts.get(id)!);
  const isDue = group.escalation === undefined ? () => true : escalationOf(group, group.escalation, context);
  const alerts = members
    .filter((entry) => entry.alert.status === "resolved" || (!context.isSuppressed(entry.alert) && isDue(entry)))
    .map(({ alert }) => alert);
  const channels = channelsOf(config, group.receiver);
  const keys = channelKeys(channels);
  const repeatMs = escalationNamed(config, group.escalation?.name ?? "")?.repeatIntervalMs ?? route.repeatIntervalMs;
  const planned: Planned[] = [];
  const sequence = group.sequence + 1;
  channels.forEach((channel, i) => {
    const before = group.told[i];
    const flushed = flush({
      alerts,
      told: before,
      sendsResolved: channel.sendResolved,
      repeatUs: repeatMs * 1_000,
      nowUs,
    });
    if (flushed === undefined) return;
    group.sequence = sequence;
    const channelKey = keys[i]!;
    group.told[i] = { ...flushed.told, channel: channelKey };
    const message = messageOf(group, flushed.alerts, {
      ...{ channel, before, externalUrl: context.externalUrl },
      ...{ why: flushed.why, routeLabels: route.labels, nowUs },
    });
    const place = { groupKey: group.key, sequence, isMerged: false };
    planned.push({ message, ...place, channel: i, channelKey, kind: channel.kind });
  });
  if (group.escalation !== undefined) {
    const afterUs = afterUsOf(group.escalation, config);
    for (const { alert, sinceUs } of members) {
      if (alert.status === "firing" && sinceUs + afterUs > nowUs) lookBy(group, sinceUs + afterUs, route);
    }
  }
  // Where there was no news the next look alone is another: whoever takes over looks at once, and finds none either.
  if (planned.length > 0) state.changedGroups.add(group.key);
  forget(state, group, config);
  return planned;
}

/**
 * Which open alerts the step tells its receiver of: those that nobody has acknowledged for long enough while the receiver is on duty, and
 * those that it knows.
 */
function escalationOf(group: Group, place: StepPlace, context: PlanContext): (entry: Entry) => boolean {
  const step = stepOf(place, context.config);
  if (!isTold(step, group.receiver, context)) return () => false;
  const isKnown = (id: string) => group.told.some((told) => (told?.alerts[id] ?? "") !== "");
  const isOld = (sinceUs: number) => context.nowUs - sinceUs >= step.afterMs * 1_000;
  return ({ alert, sinceUs }) => isKnown(alert.id) || (!alert.isAcknowledged && isOld(sinceUs));
}

/** Lets go of alerts that are over and of which nobody is left to hear, and of a group without any. */
function forget(state: State, group: Group, config: NotifyConfig): void {
  const sends = channelsOf(config, group.receiver).map(({ sendResolved }) => sendResolved);
  for (const id of [...group.members]) {
    const { alert } = state.alerts.get(id)!;
    if (alert.status !== "resolved" || !isSettled(id, group.told, sends)) continue;
    state.leave(id, group);
    state.changedGroups.add(group.key);
  }
  group.told = group.told.map((told) => {
    if (told === undefined) return undefined;
    const kept = Object.entries(told.alerts).filter(([id]) => group.members.has(id));
    return { ...told, alerts: Object.fromEntries(kept) };
  });
  if (group.members.size === 0) state.remove(group);
}

function channelsOf({ receivers }: NotifyConfig, name: string): NotifyConfig["receivers"][number]["channels"] {
  return receivers.find((receiver) => receiver.name === name)?.channels ?? [];
}
