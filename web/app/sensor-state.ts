/** States of sensors as words. Apart from those of alerts: pages of alerts do without the contract of the registry. */
import { SensorState } from "../../gen/web/telltale/v1/registry_pb.ts";

export type SensorStateName = "alerting" | "stale" | "ok" | "retired";

export function sensorStateName(state: SensorState): SensorStateName {
  if (state === SensorState.ALERTING) return "alerting";
  if (state === SensorState.STALE) return "stale";
  return state === SensorState.RETIRED ? "retired" : "ok";
}
