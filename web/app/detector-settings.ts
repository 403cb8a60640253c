/** Settings of the detector as a person reads them, each with where its value comes from. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type DetectorConfig,
  type DetectorConfigSchema,
  DetectorConfigSource,
  Direction,
  type GetDetectorConfigResponse,
  type Holidays,
  SignalKind,
  Weekday,
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

const WEEKDAYS: Readonly<Record<number, string>> = {
  [Weekday.MONDAY]: "Monday",
  [Weekday.TUESDAY]: "Tuesday",
  [Weekday.WEDNESDAY]: "Wednesday",
  [Weekday.THURSDAY]: "Thursday",
  [Weekday.FRIDAY]: "Friday",
  [Weekday.SATURDAY]: "Saturday",
  [Weekday.SUNDAY]: "Sunday",
};

const SIGNALS: Readonly<Record<number, string>> = {
  [SignalKind.CONTINUOUS]: "continuous",
  [SignalKind.QUANTISED]: "quantised",
  [SignalKind.STEPS]: "steps",
  [SignalKind.ON_OFF]: "on and off",
  [SignalKind.EVENT]: "events",
  [SignalKind.COUNTER]: "counter",
  [SignalKind.INTERMITTENT]: "intermittent",
};

/** The kind of a sensor's signal. */
export function signalText(kind: SignalKind): string {
  return SIGNALS[kind] ?? "not known yet";
}

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
  early_alert_hours: [
    "Early alerts",
    ({ earlyAlertHours: n }) =>
      n === undefined ? undefined : n === 0 ? "off" : `${durationText(n * 3_600_000)} ahead`,
  ],
  off: ["Judged", ({ off }) => (off === undefined ? undefined : off ? "no" : "yes")],
  time_zone: ["Time zone", ({ timeZone }) => timeZone],
  signal_kind: [
    "Signal",
    ({ signalKind }) => (signalKind === SignalKind.UNSPECIFIED ? undefined : signalText(signalKind)),
  ],
  holidays: ["Holidays", ({ holidays }) => (holidays === undefined ? "none" : holidaysText(holidays))],
};

export function settingRows({ config, origins }: GetDetectorConfigResponse, unit: string): SettingRow[] {
  if (config === undefined) return [];
  return origins.map(({ field, source, asset }) => {
    const [name, value] = SHOWN[field] ?? [field.replaceAll("_", " "), () => undefined];
    const absent = source === DetectorConfigSource.LEARNT ? "from its readings" : "no limit";
    return { field, name, value: value(config, unit) ?? absent, origin: originText(source, asset) };
  });
}

function originText(source: DetectorConfigSource, asset: string): string {
  return source === DetectorConfigSource.ASSET ? `asset ${asset}` : (ORIGINS[source] ?? "");
}

function limit(value: number | undefined, unit: string): string | undefined {
  return value === undefined ? undefined : valueText(value, unit);
}

function seconds(value: number | undefined): string | undefined {
  return value === undefined ? undefined : durationText(value * 1_000);
}

function holidaysText({ dates, like }: Holidays): string {
  if (dates.length === 0) return "none";
  return `${dates.length} ${dates.length === 1 ? "day" : "days"} like ${WEEKDAYS[like] ?? "Sunday"}, up to ${dates.at(-1)}`;
}

/** What a person may set for one sensor. "": it is not set for this sensor. */
export type SettingsForm = Record<string, string>;

type NumberKey =
  | "alarmsPerSensorDay"
  | "rangeMin"
  | "rangeMax"
  | "maxRatePerSecond"
  | "stuckSeconds"
  | "silenceSeconds"
  | "earlyAlertHours"
  | "reorderHoldMs";

export interface EditedSetting {
  readonly field: string;
  readonly name: string;
  /** Of a number. */
  readonly unit?: string;
  /** Whether it is neither a number nor a choice. */
  readonly isText: boolean;
  /** Of a choice: value and text. */
  readonly choices?: readonly (readonly [value: string, text: string])[];
  /** What holds where it is left empty. */
  readonly otherwise: string;
}

type ConfigInit = Exclude<MessageInitShape<typeof DetectorConfigSchema>, DetectorConfig>;

interface Editor {
  readonly unit?: (unit: string) => string;
  readonly choices?: readonly (readonly [value: string, text: string])[];
  readonly read: (config: DetectorConfig) => string;
  readonly write: (text: string) => ConfigInit;
  /** Of a text: what is wrong with it, undefined where nothing is. Without this it is a number or a choice. */
  readonly check?: (text: string) => string | undefined;
}

const YES_OR_NO = [
  ["yes", "yes"],
  ["no", "no"],
] as const;
const DIRECTIONS = [
  [String(Direction.BOTH), "on both sides"],
  [String(Direction.HIGH), "above only"],
  [String(Direction.LOW), "below only"],
] as const;

const numeric = (key: NumberKey, unit: (unit: string) => string): Editor => ({
  unit,
  read: (config) => (config[key] === undefined ? "" : String(config[key])),
  write: (text) => ({ [key]: Number(text) }),
});

/** By field of the contract, in the order of the form. */
const EDITORS: Readonly<Record<string, Editor>> = {
  alarms_per_sensor_day: numeric("alarmsPerSensorDay", () => "alarms a day"),
  direction: {
    choices: DIRECTIONS,
    read: ({ direction }) => (direction ? String(direction) : ""),
    write: (text) => ({ direction: Number(text) as Direction }),
  },
  range_min: numeric("rangeMin", (unit) => unit),
  range_max: numeric("rangeMax", (unit) => unit),
  early_alert_hours: numeric("earlyAlertHours", () => "hours ahead; 0: none"),
  max_rate_per_second: numeric("maxRatePerSecond", (unit) => `${unit} a second`.trim()),
  stuck_seconds: numeric("stuckSeconds", () => "seconds"),
  silence_seconds: numeric("silenceSeconds", () => "seconds"),
  reorder_hold_ms: numeric("reorderHoldMs", () => "milliseconds"),
  counter: {
    choices: YES_OR_NO,
    read: ({ counter }) => (counter === undefined ? "" : counter ? "yes" : "no"),
    write: (text) => ({ counter: text === "yes" }),
  },
  off: {
    choices: YES_OR_NO,
    read: ({ off }) => (off === undefined ? "" : off ? "no" : "yes"),
    write: (text) => ({ off: text === "no" }),
  },
  time_zone: {
    read: ({ timeZone }) => timeZone ?? "",
    write: (timeZone) => ({ timeZone }),
    check: (text) => (isTimeZone(text) ? undefined : "There is no such time zone: write for example Europe/Berlin."),
  },
  signal_kind: {
    choices: Object.entries(SIGNALS),
    read: ({ signalKind }) => (signalKind ? String(signalKind) : ""),
    write: (text) => ({ signalKind: Number(text) as SignalKind }),
  },
  holidays: {
    read: ({ holidays }) => (holidays === undefined ? "" : holidaysInput(holidays)),
    write: (text) => ({ holidays: readHolidays(text) ?? { dates: [] } }),
    check: (text) =>
      readHolidays(text) === undefined
        ? "Write none, or dates such as 2026-12-25, 2027-01-01, and then like Friday where it is not Sunday."
        : undefined,
  },
};

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }) !== undefined;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function holidaysInput({ dates, like }: Holidays): string {
  if (dates.length === 0) return "none";
  return dates.join(", ") + (like === Weekday.UNSPECIFIED ? "" : ` like ${WEEKDAYS[like]}`);
}

/** Holidays as `holidaysInput` writes them; undefined where it is none. */
function readHolidays(text: string): { dates: string[]; like?: Weekday } | undefined {
  if (text.toLowerCase() === "none") return { dates: [] };
  const [, list = "", day] = /^(.*?)(?:\s+like\s+(\w+))?$/i.exec(text) ?? [];
  const dates = list.split(/[\s,]+/).filter((date) => date !== "");
  const named = Object.entries(WEEKDAYS).find(([, name]) => name.toLowerCase() === day?.toLowerCase());
  const wrong = dates.some((date) => !/^\d{4}-\d{2}-\d{2}$/.test(date) || Number.isNaN(Date.parse(date)));
  if (dates.length === 0 || wrong || (day !== undefined && named === undefined)) return undefined;
  return named === undefined ? { dates } : { dates, like: Number(named[0]) as Weekday };
}

/** What a form shows of each setting. */
export function editedSettings(response: GetDetectorConfigResponse, unit: string): EditedSetting[] {
  const rows = new Map(settingRows(response, unit).map((row) => [row.field, row]));
  return Object.entries(EDITORS).map(([field, editor]) => {
    const { value = "", origin = "" } = rows.get(field) ?? {};
    const otherwise = isOwn(response, field) ? "as for its asset and its type" : `${value}, ${origin}`;
    return {
      ...{ field, name: SHOWN[field]![0], otherwise, isText: editor.check !== undefined },
      ...(editor.unit === undefined ? {} : { unit: editor.unit(unit) }),
      ...(editor.choices === undefined ? {} : { choices: editor.choices }),
    };
  });
}

/** The sensor's own settings; what it inherits is empty. */
export function formOf(response: GetDetectorConfigResponse): SettingsForm {
  const { config } = response;
  return Object.fromEntries(
    Object.entries(EDITORS).map(([field, { read }]) => [
      field,
      config !== undefined && isOwn(response, field) ? read(config) : "",
    ]),
  );
}

/** What is wrong, by field: a text that is no number, no time zone, no list of days. */
export function wrongFields(form: SettingsForm): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(EDITORS).flatMap(([field, { choices, check = checkNumber }]) => {
      const text = (form[field] ?? "").trim();
      const wrong = choices === undefined && text !== "" ? check(text) : undefined;
      return wrong === undefined ? [] : [[field, wrong] as const];
    }),
  );
}

function checkNumber(text: string): string | undefined {
  return Number.isFinite(Number(text)) ? undefined : "This is no number: write for example 0.5.";
}

/** All settings of the sensor, as they are asked of the platform. */
export function configOf(sensorId: string, form: SettingsForm): ConfigInit {
  const set = Object.entries(EDITORS).map(([field, { write }]) => {
    const text = (form[field] ?? "").trim();
    return text === "" ? {} : write(text);
  });
  return Object.assign({ sensorId }, ...set);
}

function isOwn({ origins }: GetDetectorConfigResponse, field: string): boolean {
  return origins.some((each) => each.field === field && each.source === DetectorConfigSource.SENSOR);
}
