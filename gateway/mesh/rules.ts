/** What both facades make of the same responses. */
import { AlertState } from "../../gen/es/telltale/v1/alert_pb.ts";
import { RowRefusal, type Shaped } from "./tables.ts";

export const ALERT_OPEN = AlertState.OPEN;

/**
 * The one reading of a SubmitReadings response.
 *
 * @throws RowRefusal where it was refused
 */
export function storedReading(response: Shaped): unknown {
  const [stored] = response.stored as unknown[];
  if (stored !== undefined) return stored;
  const [refusal] = response.refusals as Shaped[];
  if (refusal === undefined) throw new Error("The service answered without a stored reading and without a refusal.");
  throw new RowRefusal(String(refusal.reason), String(refusal.field), String(refusal.message));
}
