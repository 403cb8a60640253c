/** What both facades make of the same responses. */
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { SensorProfileSchema } from "../../gen/es/telltale/v1/registry_pb.ts";
import { type Raw, RowRefusal, type Shaped } from "./tables.ts";

export const ALERT_OPEN = AlertState.OPEN;

/**
 * The one reading of a SubmitReadings response; undefined where it was stored before, by an earlier call.
 *
 * @throws RowRefusal where it was refused
 */
export function storedReading(response: Shaped): unknown {
  const [refusal] = response.refusals as Shaped[];
  if (refusal !== undefined)
    throw new RowRefusal(String(refusal.reason), String(refusal.field), String(refusal.message));
  return (response.stored as unknown[])[0];
}

/** The reading of a look-up by sensor and time, which its being a duplicate promises. */
export function theOne(readings: unknown): unknown {
  const [reading] = readings as unknown[];
  if (reading === undefined) throw new Error("The service called a reading a duplicate, but does not have it.");
  return reading;
}

/** What names the profile, and what it is based on: no fields of it that could be set. */
const NOT_SET: ReadonlySet<string> = new Set(["sensor_id", "revision"]);
const PROFILE_FIELDS = SensorProfileSchema.fields.filter(({ name }) => !NOT_SET.has(name));

/** An UpdateSensor request that sets the fields that the caller gave. */
export function givenFields(profile: Raw): Raw {
  const given = PROFILE_FIELDS.filter(({ name, localName }) => name in profile || localName in profile);
  return updateOf(
    profile,
    given.map(({ name }) => name),
  );
}

/** One that sets all fields: what the caller left out is empty then. */
export function allFields(profile: Raw): Raw {
  return updateOf(
    profile,
    PROFILE_FIELDS.map(({ name }) => name),
  );
}

/** By both names: each decoder takes its own. */
function updateOf(profile: Raw, fields: readonly string[]): Raw {
  return { profile, update_fields: fields, updateFields: fields };
}

/** A request for several sensors with the one that is given, by both names. */
export function oneOfMany(message: Raw): Raw {
  const ids = [message.sensor_id ?? message.sensorId];
  return { sensor_ids: ids, sensorIds: ids };
}

export function firstSensor(response: Shaped): unknown {
  return (response.sensors as unknown[])[0];
}
