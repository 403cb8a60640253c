/** Settings of the detector as a person reads them, each with where its value comes from. */
import {
  type DetectorConfig,
  DetectorConfigSource,
  Direction,
  type GetDetectorConfigResponse,
} from "../../gen/web/telltale/v1/detector_pb.ts";
import { durationText, numberText, valueText } from "./format.ts";

export interface SettingRow {
  readonly field: string;
  readonly name: string;
  readonly value: string;
  readonly origin: string;
}

const ORIGINS: Readonly<Record<number, string>> = {
  [DetectorConfigSource.UNSPECIFIED]: "",
  [DetectorConfigSource.SENSOR]: "this sensor",
  [DetectorConfigSource.SENSOR_TYPE]: "its type",
  [DetectorConfigSource.ALL_TYPES]: "all types",
  [DetectorConfigSource.PLATFORM]: "platform default",
  [DetectorConfigSource.LEARNT]: "learnt",
};

const SIDES: Readonly<Record<number, string>> = {
  [Direction.UNSPECIFIED]: "both sides",
  [Direction.BOTH]: "both sides",
  [Direction.HIGH]: "above",
  [Direction.LOW]: "below",
};

/** Name and value by field of the contract. A field that is not here is shown by its own name. */
const SHOWN: Readonly<
  Record<string, readonly [name: string, value: (config: DetectorConfig, unit: string) => string | undefined]>
> = {
  alarms_per_sensor_day: [
    "Alarm budget",
    ({ alarmsPerSensorDay: n }) => (n === undefined ? undefined : `${numberText(n)} a day`),
  ],
  range_min: ["Impossible below", ({ rangeMin: n }, unit) => limit(n, unit)],
  range_max: ["Impossible above", ({ rangeMax: n }, unit) => limit(n, unit)],
  max_rate_per_second: [
    "Fastest change",
    ({ maxRatePerSecond: n }, unit) => (n === undefined ? undefined : `${valueText(n, unit)} a second`),
  ],
  stuck_seconds: ["Stuck after", ({ stuckSeconds: n }) => seconds(n)],
  silence_seconds: ["Silent after", ({ silenceSeconds: n }) => seconds(n)],
  reorder_hold_ms: ["Reorder buffer", ({ reorderHoldMs: n }) => (n === undefined ? undefined : durationText(n))],
  counter: ["Counter", ({ counter }) => (counter === undefined ? undefined : counter ? "yes" : "no")],
  direction: [
    "Abnormal",
    ({ direction }) => (direction === undefined ? undefined : (SIDES[direction] ?? "both sides")),
  ],
  off: ["Judged", ({ off }) => (off === undefined ? undefined : off ? "no" : "yes")],
};

export function settingRows({ config, origins }: GetDetectorConfigResponse, unit: string): SettingRow[] {
  if (config === undefined) return [];
  return origins.map(({ field, source }) => {
    const [name, value] = SHOWN[field] ?? [field.replaceAll("_", " "), () => undefined];
    const absent = source === DetectorConfigSource.LEARNT ? "from its readings" : "no limit";
    return { field, name, value: value(config, unit) ?? absent, origin: ORIGINS[source] ?? "" };
  });
}

function limit(value: number | undefined, unit: string): string | undefined {
  return value === undefined ? undefined : valueText(value, unit);
}

function seconds(value: number | undefined): string | undefined {
  return value === undefined ? undefined : durationText(value * 1_000);
}
