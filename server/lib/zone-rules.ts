import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { timeZoneRules } from "./time-zone.ts";

type Init = MessageInitShape<typeof ControlSchema>;
export type ControlAction = NonNullable<Init["action"]>;

/** An action with the rules of the time zone that it names, if it does: what a control record needs. */
export function withZoneRules(action: ControlAction): Pick<Init, "action" | "timeZoneRules"> {
  const names = action.case === "settings" || action.case === "platform";
  const timeZone = names ? action.value.timeZone : undefined;
  return timeZone === undefined ? { action } : { action, timeZoneRules: timeZoneRules(timeZone) };
}
