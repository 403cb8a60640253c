/** Who is on call when. */
import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import type { Rotation, Schedule } from "../config.ts";
import { MAX_SCHEDULES } from "../limits.ts";
import { readDuration } from "./duration.ts";
import { readLocation } from "./intervals.ts";
import { readDefinition, readReferences } from "./reference.ts";
import type { Known, Value } from "./value.ts";

const SCHEDULE: Known = { of: "a schedule", names: ["name", "time_zone", "rotations"] };
const ROTATION: Known = { of: "a rotation", names: ["receivers", "start", "shift", "active_time_intervals"] };
const LOCAL_TIME = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::00)?$/;
const MINUTE_MS = 60_000;
/** A turn of less is a mistake in the unit. */
const LEAST_SHIFT_MS = 60 * MINUTE_MS;

interface Names {
  readonly receivers: ReadonlySet<string>;
  readonly timeIntervals: ReadonlySet<string>;
}

export function readSchedules(value: Value | undefined, defined: Names): Schedule[] {
  const names = new Set<string>();
  return (value?.items(MAX_SCHEDULES) ?? []).flatMap((item) => {
    const fields = item.fields(SCHEDULE);
    if (fields === undefined) return [];
    const name = readDefinition(fields.required("name"), "a schedule", names);
    const rotations = fields.required("rotations");
    if (rotations?.isEmpty) rotations.problem("is an empty list: nobody would ever be on call.");
    return [
      {
        name,
        timeZone: readLocation(fields.get("time_zone")),
        rotations: (rotations?.items() ?? []).flatMap((each) => readRotation(each, defined)),
      },
    ];
  });
}

function readRotation(value: Value, { receivers, timeIntervals }: Names): Rotation[] {
  const fields = value.fields(ROTATION);
  if (fields === undefined) return [];
  const list = fields.required("receivers");
  const turns = readTurns(list, receivers);
  const startLocalMs = readLocalTime(fields.required("start"));
  const shift = fields.required("shift");
  const shiftMs = shift && readDuration(shift, { isPositive: true });
  if (shiftMs !== undefined && (shiftMs < LEAST_SHIFT_MS || shiftMs % MINUTE_MS !== 0)) {
    shift?.problem("is no turn of whole minutes from 1h on: write for example 12h, 1d or 1w.");
  }
  const active = { kind: "time interval", names: timeIntervals, list: "time_intervals" };
  const activeTimeIntervals = readReferences(fields.get("active_time_intervals"), active);
  return [
    { receivers: turns, startLocalMs: startLocalMs ?? 0, shiftMs: shiftMs ?? LEAST_SHIFT_MS, activeTimeIntervals },
  ];
}

/** In the order of their turns; one of them may have several. */
function readTurns(list: Value | undefined, receivers: ReadonlySet<string>): string[] {
  if (list?.isEmpty) list.problem("is an empty list: nobody would ever be on call.");
  return (list?.items() ?? []).flatMap((item) => {
    const name = item.name();
    if (name === undefined) return [];
    if (!receivers.has(name)) {
      const hint = didYouMean(name, receivers) || ": define it in receivers.";
      item.problem(`there is no receiver ${quoted(name)}${hint}`);
    }
    return [name];
  });
}

function readLocalTime(value: Value | undefined): number | undefined {
  const text = value?.line();
  if (value === undefined || text === undefined) return undefined;
  const [, year, month, day, hour, minute] = (LOCAL_TIME.exec(text) ?? []).map(Number);
  if (year !== undefined) {
    const ms = Date.UTC(year, month! - 1, day, hour, minute);
    const written = new Date(ms);
    const isReal = written.getUTCMonth() === month! - 1 && written.getUTCDate() === day && hour! < 24 && minute! < 60;
    if (isReal) return ms;
  }
  return value.problem(
    `${quoted(text)} is no time on the schedule's clocks: write for example 2026-11-02 08:00, without an offset.`,
  );
}
