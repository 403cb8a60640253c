/** Who is notified while nobody acknowledges. */
import type { Escalation, EscalationStep, Schedule } from "../config.ts";
import { MAX_ESCALATED, MAX_SCHEDULES } from "../limits.ts";
import { readDuration } from "./duration.ts";
import { readDefinition, readReferences } from "./reference.ts";
import type { Known, Value } from "./value.ts";

const ESCALATION: Known = { of: "an escalation", names: ["name", "steps", "repeat_interval"] };
const STEP: Known = { of: "a step of an escalation", names: ["after", "receivers", "schedules"] };
/** On a route it means that there is no escalation. */
const RESERVED = "none";

interface Names {
  readonly receivers: ReadonlySet<string>;
  readonly schedules: readonly Schedule[];
}

export function readEscalations(value: Value | undefined, defined: Names): Escalation[] {
  const names = new Set<string>();
  return (value?.items(MAX_SCHEDULES) ?? []).flatMap((item) => {
    const fields = item.fields(ESCALATION);
    if (fields === undefined) return [];
    const place = fields.required("name");
    const name = readDefinition(place, "an escalation", names);
    if (name === RESERVED) place?.problem('is "none", which on a route means no escalation: name it otherwise.');
    const repeat = fields.get("repeat_interval");
    const repeatIntervalMs = repeat && readDuration(repeat, { isPositive: true });
    const steps = readSteps(fields.required("steps"), defined);
    const told = steps.flatMap(({ receivers, schedules }) => [...receivers, ...schedules.flatMap(turnsOf(defined))]);
    if (told.length > MAX_ESCALATED) {
      item.problem(`may tell ${told.length} receivers: at most ${MAX_ESCALATED} are taken, those on call included.`);
    }
    return [{ name, steps, ...(repeatIntervalMs === undefined ? {} : { repeatIntervalMs }) }];
  });
}

function turnsOf({ schedules }: Names): (name: string) => readonly string[] {
  return (name) => {
    const rotations = schedules.find((each) => each.name === name)?.rotations ?? [];
    return [...new Set(rotations.flatMap(({ receivers }) => receivers))];
  };
}

function readSteps(value: Value | undefined, { receivers, schedules }: Names): EscalationStep[] {
  if (value?.isEmpty) value.problem("is an empty list: nobody would be notified.");
  let beforeMs = 0;
  return (value?.items() ?? []).flatMap((item) => {
    const fields = item.fields(STEP);
    if (fields === undefined) return [];
    const after = fields.required("after");
    const afterMs = (after && readDuration(after)) ?? beforeMs;
    if (afterMs < beforeMs) after?.problem("is less than that of the step before it: put the steps in their order.");
    beforeMs = afterMs;
    const receiverNames = { kind: "receiver", names: receivers, list: "receivers" };
    const scheduleNames = {
      ...{ kind: "schedule", list: "schedules" },
      names: new Set(schedules.map(({ name }) => name)),
    };
    const step = {
      afterMs,
      receivers: readReferences(fields.get("receivers"), receiverNames),
      schedules: readReferences(fields.get("schedules"), scheduleNames),
    };
    if (step.receivers.length + step.schedules.length === 0) {
      item.problem("notifies nobody: write receivers or schedules.");
    }
    return [step];
  });
}
