/** The groups that an alert belongs to: of each route its own, and one for every receiver that its escalation may tell. */
import type { Escalation, EscalationStep, NotifyConfig, Route } from "../config/config.ts";
import { shortened } from "../config/read/route-key.ts";
import type { Labels } from "../matching.ts";
import { candidates, type Override, onCall } from "../oncall/oncall.ts";
import { groupOf } from "../route.ts";

/** A step of an escalation. */
export interface StepPlace {
  /** Its name. */
  readonly name: string;
  /** From 0. */
  readonly step: number;
}

export interface Membership {
  readonly key: string;
  readonly labels: Labels;
  readonly receiver: string;
  /** Undefined: the route's own receiver is told. */
  readonly escalation: StepPlace | undefined;
}

/** What decides who may be told, besides the alert. */
export interface Roster {
  readonly config: NotifyConfig;
  /** That are not over. */
  readonly overrides: readonly Override[];
}

export function membershipsOf(route: Route, labels: Labels, roster: Roster): Membership[] {
  const group = groupOf(route, labels);
  const own = { ...group, receiver: route.receiver, escalation: undefined };
  const { name, steps } = escalationNamed(roster.config, route.escalation) ?? { name: "", steps: [] };
  const escalated = steps.flatMap((each, step) =>
    receiversOf(each, roster).map((receiver) => ({
      key: escalatedKey(group.key, { name, step }, receiver),
      labels: group.labels,
      receiver,
      escalation: { name, step },
    })),
  );
  return [own, ...escalated];
}

function escalatedKey(groupKey: string, { name, step }: StepPlace, receiver: string): string {
  return shortened(`${groupKey}/escalations/${JSON.stringify([name, step, receiver])}`);
}

/** Whether a group of these labels can be of the route, also where its step tells the receiver no more. */
export function isOfRoute(
  { key, receiver, escalation, labels }: Membership,
  route: Route,
  { config }: Pick<Roster, "config">,
): boolean {
  const ofRoute = groupOf(route, labels);
  if (escalation === undefined) return receiver === route.receiver && key === ofRoute.key;
  return (
    escalation.name === route.escalation &&
    escalationNamed(config, escalation.name)?.steps[escalation.step] !== undefined &&
    config.receivers.some(({ name }) => name === receiver) &&
    key === escalatedKey(ofRoute.key, escalation, receiver)
  );
}

/** Everybody whom the step may tell, now or later. */
function receiversOf({ receivers, schedules }: EscalationStep, { config, overrides }: Roster): string[] {
  const onDuty = schedules.flatMap((name) => [...candidates(scheduleNamed(config, name), { overrides })]);
  const known = new Set(config.receivers.map(({ name }) => name));
  // The receiver of an override may be gone from the configuration since.
  return [...new Set([...receivers, ...onDuty])].filter((name) => known.has(name));
}

/** Whether the step tells the receiver at a time. */
export function isTold(
  { receivers, schedules }: EscalationStep,
  receiver: string,
  { config, overrides, nowUs }: Roster & { readonly nowUs: number },
): boolean {
  if (receivers.includes(receiver)) return true;
  const duties = { timeIntervals: config.timeIntervals, overrides };
  return schedules.some((name) =>
    onCall(scheduleNamed(config, name), duties, nowUs).some((each) => each.receiver === receiver),
  );
}

export function escalationNamed({ escalations }: NotifyConfig, name: string): Escalation | undefined {
  return escalations.find((each) => each.name === name);
}

function scheduleNamed({ schedules }: NotifyConfig, name: string) {
  const found = schedules.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the schedule ${name} is used, and there is none of that name`);
  return found;
}
