/** Where settings come from, in an explanation. */
import { type DetectorConfigOrigin, DetectorConfigSource } from "../../gen/es/telltale/v1/detector_pb.ts";
import { quoted } from "../lib/quoted.ts";

export type Origin = Pick<DetectorConfigOrigin, "field" | "source" | "asset">;

/** By whom a value is set; learnt values and defaults are not. */
const SET: Readonly<Record<number, (origin: Origin) => string>> = {
  [DetectorConfigSource.SENSOR]: () => "set for the sensor",
  [DetectorConfigSource.ASSET]: ({ asset }) => `from asset ${quoted(asset)}`,
  [DetectorConfigSource.SENSOR_TYPE]: () => "set for its type",
  [DetectorConfigSource.ALL_TYPES]: () => "set for all types",
};

/** A sentence about those of the fields that somebody has set; empty where nobody has. */
export function originsNote(fields: readonly string[], origins: readonly Origin[]): string {
  const found = origins.flatMap((origin) => {
    const said = fields.includes(origin.field) ? SET[origin.source]?.(origin) : undefined;
    return said === undefined ? [] : [`${origin.field} ${said}`];
  });
  return found.length === 0 ? "" : ` Its settings now: ${found.join(", ")}.`;
}
