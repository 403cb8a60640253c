/** Who is on call at a time. Pure. */
import type { NamedIntervals, Rotation, Schedule } from "../config/config.ts";
import { isWithin } from "../intervals.ts";
import { dutyMs } from "../wall-time.ts";

/** Somebody takes over from others for a time. Times are microseconds since the epoch. */
export interface Override {
  readonly id: string;
  readonly schedule: string;
  /** Who takes over. */
  readonly receiver: string;
  /** From whom; "" for everybody of the schedule. */
  readonly replaces: string;
  readonly startsUs: number;
  readonly endsUs: number;
  readonly author: string;
  readonly comment: string;
  readonly createdUs: number;
}

export interface OnCall {
  readonly receiver: string;
  /** Of the override by which it is; "" where it is by rotation. */
  readonly overrideId: string;
}

export interface Duties {
  readonly timeIntervals: readonly NamedIntervals[];
  /** In the order in which they were made: a later one is of what those before it left. */
  readonly overrides: readonly Override[];
}

/** Each receiver once: one of every rotation that is active, and overrides in place of them. */
export function onCall(schedule: Schedule, { timeIntervals, overrides }: Duties, nowUs: number): OnCall[] {
  const turns = schedule.rotations.flatMap((rotation) => turnOf(rotation, schedule.timeZone, timeIntervals, nowUs));
  let found: OnCall[] = turns.map((receiver) => ({ receiver, overrideId: "" }));
  for (const { id, receiver, replaces, ...override } of overrides) {
    if (override.schedule !== schedule.name || nowUs < override.startsUs || nowUs >= override.endsUs) continue;
    const instead = { receiver, overrideId: id };
    if (replaces === "") found = [instead];
    else found = found.map((each) => (each.receiver === replaces ? instead : each));
  }
  return [...new Map(found.toReversed().map((each) => [each.receiver, each])).values()].reverse();
}

function turnOf(
  { receivers, startLocalMs, shiftMs, activeTimeIntervals }: Rotation,
  timeZone: string,
  timeIntervals: readonly NamedIntervals[],
  nowUs: number,
): string[] {
  const turn = Math.floor((dutyMs(nowUs, timeZone) - startLocalMs) / shiftMs);
  if (turn < 0) return [];
  const isActive =
    activeTimeIntervals.length === 0 || activeTimeIntervals.some((n) => isWithin(n, timeIntervals, nowUs));
  return isActive ? [receivers[turn % receivers.length]!] : [];
}

/** Everybody who may be on call now or later: by turn, or by an override that is not over. */
export function candidates({ name, rotations }: Schedule, { overrides }: Pick<Duties, "overrides">): Set<string> {
  const byTurn = rotations.flatMap(({ receivers }) => receivers);
  return new Set([...byTurn, ...overrides.filter(({ schedule }) => schedule === name).map(({ receiver }) => receiver)]);
}
