/** What both facades make of the same responses. */
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { RowRefusal, type Shaped } from "./tables.ts";

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
