import type { MessageInitShape } from "@bufbuild/protobuf";
import type { DetectorConfig } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { timeZoneRules } from "./time-zone.ts";

type Init = MessageInitShape<typeof ControlSchema>;
export type ControlAction = NonNullable<Init["action"]>;

/** What sets the settings of a sensor, an asset, a type or all types. */
export function settingsAction(config: DetectorConfig): ControlAction {
  return config.asset === "" ? { case: "settings", value: config } : { case: "assetSettings", value: { config } };
}

/** An action with the rules of the time zone that it names, if it does: what a control record needs. */
export function withZoneRules(action: ControlAction): Pick<Init, "action" | "timeZoneRules"> {
  const timeZone = zoneOf(action);
  return timeZone === undefined ? { action } : { action, timeZoneRules: timeZoneRules(timeZone) };
}

function zoneOf(action: ControlAction): string | undefined {
  if (action.case === "settings" || action.case === "platform") return action.value.timeZone;
  return action.case === "assetSettings" ? action.value.config?.timeZone : undefined;
}
