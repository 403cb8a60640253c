/** Sensors and their differences as lines for a terminal. */

import { timestampDate } from "@bufbuild/protobuf/wkt";
import { counted } from "../../formats/counted.ts";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import {
  type RegisteredSensor,
  type SensorDifference,
  SensorDifferenceKind,
  SensorState,
} from "../../gen/es/telltale/v1/registry_pb.ts";
import { enumName } from "../../server/lib/enum-name.ts";
import { inert } from "../text.ts";

export function listLine(sensor: RegisteredSensor): string {
  const { sensorId, displayName, asset, state, openAlerts, worstSeverity, lastReading } = sensor;
  const alerts = openAlerts === 0n ? "" : ` (${openAlerts} open, ${enumName(Severity, worstSeverity)})`;
  const seen = lastReading === undefined ? "no reading" : timestampDate(lastReading).toISOString();
  const parts = [inert(sensorId), `${enumName(SensorState, state)}${alerts}`, seen, inert(displayName), inert(asset)];
  return parts.filter((part) => part !== "").join("  ");
}

export function showLines(sensor: RegisteredSensor): string[] {
  const { attributes, sentAttributes, editedAttributes, series, updatedAt, retiredAt } = sensor;
  const line = (name: string, text: string) => (text === "" ? [] : [`${name}: ${text}`]);
  const whose = (name: string) => {
    if (!Object.hasOwn(editedAttributes, name)) return "sent";
    const sent = sentAttributes[name];
    return sent === undefined ? "edited" : `edited; sent: ${inert(sent)}`;
  };
  return [
    listLine(sensor),
    ...(retiredAt === undefined
      ? []
      : [`retired: ${timestampDate(retiredAt).toISOString()} by ${inert(sensor.retiredBy)}`]),
    ...line("other ids", sensor.otherIds.map(inert).join(", ")),
    ...line("description", inert(sensor.description)),
    ...line("owner", inert(sensor.owner)),
    ...line("runbook", inert(sensor.runbookUrl)),
    ...line("tags", sensor.tags.map(inert).join(", ")),
    ...Object.keys(attributes).map((name) => `attribute ${inert(name)}: ${inert(attributes[name]!)} (${whose(name)})`),
    ...series.map(
      ({ sensorType, unit, location, totalReadings }) =>
        `series: ${inert([sensorType, unit, location ?? ""].join(" ").trim())}, ${counted(totalReadings, "reading")}`,
    ),
    updatedAt === undefined
      ? "no profile"
      : `revision ${sensor.revision}, ${timestampDate(updatedAt).toISOString()} by ${inert(sensor.updatedBy)}`,
  ];
}

/** As a diff: what goes after a minus, what comes after a plus. */
export function differenceLines({ sensorId, kind, fields }: SensorDifference): string[] {
  const created = kind === SensorDifferenceKind.CREATED;
  return [
    created ? `+ ${inert(sensorId)} (new)` : `~ ${inert(sensorId)}`,
    ...fields.flatMap(({ field, from, to }) => [
      ...(from === "" ? [] : [`-   ${inert(field)}: ${inert(from)}`]),
      ...(to === "" ? [] : [`+   ${inert(field)}: ${inert(to)}`]),
    ]),
  ];
}
