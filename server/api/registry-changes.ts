/** What a request wants of profiles, checked as a whole: all that is wrong is told at once. */
import type { SensorProfile } from "../../gen/es/telltale/v1/registry_pb.ts";
import { type FieldViolation, TelltaleError } from "../errors.ts";
import { quoted } from "../lib/quoted.ts";
import { type Change, chosenFields } from "../registry/profile.ts";
import { canAccessSensor, type Principal } from "../security/principal.ts";

/** The first ones are enough to mend a file by. */
const MAX_VIOLATIONS = 50;

interface Asked {
  /** The contract's rules have seen that it is there. */
  readonly profile?: SensorProfile | undefined;
  readonly updateFields: readonly string[];
}

/**
 * @param pathOf the place of a profile in the request, by its index
 * @throws TelltaleError "invalid" that names the fields, "forbidden" for a sensor that the caller does not reach
 */
export function readChanges(
  asked: readonly Asked[],
  principal: Principal,
  pathOf: (index: number) => string,
): Change[] {
  const violations: FieldViolation[] = [];
  const first = new Map<string, number>();
  const changes = asked.map(({ profile, updateFields }, index): Change => {
    const { sensorId, revision, ...given } = profile!;
    checkAccess(principal, sensorId);
    const earlier = first.get(sensorId);
    if (earlier === undefined) first.set(sensorId, index);
    else {
      const description = `is ${quoted(sensorId)}, which ${pathOf(earlier)} changes already: give each sensor once`;
      violations.push({ field: `${pathOf(index)}.sensor_id`, description });
    }
    const { fields, faults } = chosenFields(given, updateFields);
    for (const { field, description } of faults) violations.push({ field: placeOf(field, pathOf(index)), description });
    return { sensorId, fields, revision: revision === undefined ? undefined : Number(revision) };
  });
  const [fault] = violations;
  if (fault === undefined) return changes;
  const more = violations.length > 1 ? ` (and ${violations.length - 1} more)` : "";
  throw new TelltaleError("invalid", `${fault.field}: ${fault.description}${more}`, {
    violations: violations.slice(0, MAX_VIOLATIONS),
  });
}

/** The names of fields stand beside the profile. */
function placeOf(field: string, profile: string): string {
  return field === "update_fields" ? profile.replace(/profile$/, field) : `${profile}.${field}`;
}

/** Says nothing of whether there is such a sensor. */
function checkAccess(principal: Principal, sensorId: string): void {
  if (canAccessSensor(principal, sensorId)) return;
  throw new TelltaleError(
    "forbidden",
    `${principal.name} is limited to sensors "${principal.sensorPrefix}…", and ${quoted(sensorId)} is none of these`,
  );
}
