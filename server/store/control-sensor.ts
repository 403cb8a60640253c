import type { Control, PlacedSensors, PlaceSensorsControl } from "../../gen/es/telltale/v1/log_pb.ts";

/** The sensor that the control is of alone; undefined where it concerns others too. */
export function sensorOf({ action }: Control): string | undefined {
  switch (action.case) {
    case "config":
    case "settings":
    case "maintenance":
    case "label":
    case "resolve":
      return action.value.sensorId || undefined;
    default:
      return undefined;
  }
}

/** Where sensors are put, without some of the sensors. */
export function placedBut(
  { placed }: Pick<PlaceSensorsControl, "placed">,
  isOut: (sensorId: string) => boolean,
): PlacedSensors[] {
  return placed
    .map((each) => ({ ...each, sensorIds: each.sensorIds.filter((sensorId) => !isOut(sensorId)) }))
    .filter(({ sensorIds }) => sensorIds.length > 0);
}
