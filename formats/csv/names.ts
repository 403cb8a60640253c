/** What columns are called where sensors are known, and what stands in brackets behind the name. */

export interface ColumnName {
  /** As in the file. */
  readonly text: string;
  /** In lower case with underscores, without brackets. */
  readonly plain: string;
  /** What the brackets hold: a unit or a zone; empty without. */
  readonly note: string;
}

export type Role = "time" | "date" | "value" | "sensor" | "type" | "unit" | "location";

const NAMES: Readonly<Record<Role, readonly string[]>> = {
  time: [
    ...["time", "ts", "datetime", "date_time", "timestamp", "time_stamp", "observed_at", "observedat", "recorded_at"],
    ...["epoch", "epoch_time", "unix", "unixtime", "unix_time", "event_time", "measured_at", "zeit", "zeitstempel"],
  ],
  date: ["date", "day", "datum"],
  value: ["value", "val", "values", "reading", "measurement", "measured_value", "wert", "messwert"],
  sensor: ["sensor_id", "sensorid", "sensor", "sensor_name", "device_id", "deviceid", "device", "tag", "tag_name"],
  type: ["sensor_type", "sensortype"],
  unit: ["unit", "units", "uom", "unit_of_measure", "einheit"],
  location: ["location", "place", "site"],
};

const ROLES = new Map(Object.entries(NAMES).flatMap(([role, names]) => names.map((name) => [name, role as Role])));
/** Behind the name of a time: its unit or zone. */
const TIME_SUFFIX = /_(?:s|sec|seconds|ms|millis|milliseconds|us|micros|microseconds|ns|nanos|utc|gmt|local|iso)$/;

export function columnName(text: string): ColumnName {
  const [, name = "", note = ""] = /^(.*?)\s*(?:[[({]([^\])}]*)[\])}])?\s*$/s.exec(text.trim()) ?? [];
  const plain = name
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/[\s.\-/]+/g, "_")
    .toLowerCase();
  return { text, plain, note: note.trim() };
}

export function roleOf({ plain }: ColumnName): Role | undefined {
  return ROLES.get(plain) ?? (ROLES.get(plain.replace(TIME_SUFFIX, "")) === "time" ? "time" : undefined);
}

/** Whether it may hold times, though it is none of the names known. */
export function soundsLikeTime({ plain }: ColumnName): boolean {
  return /(^|_)(time|date|timestamp|ts|datetime|day|hour|year|month|zeit|datum|at|when|created|updated)(_|$)/.test(
    plain,
  );
}

export function isName(cell: string): boolean {
  return roleOf(columnName(cell)) !== undefined;
}

/** The zone that a name's brackets or its end give, if any. */
export function zoneOf({ plain, note }: ColumnName): string | undefined {
  if (/^(utc|gmt|z)$/i.test(note) || /_(utc|gmt)$/.test(plain)) return "UTC";
  return /^[A-Z][A-Za-z_]+\/[A-Za-z_/+-]+$/.test(note) ? note : undefined;
}

/** The unit of a count since 1970 that a name gives, if any. */
export function timeUnitOf({ plain, note }: ColumnName): "s" | "ms" | "us" | "ns" | undefined {
  const word = note === "" ? (/_([a-z]+)$/.exec(plain)?.[1] ?? "") : note.toLowerCase();
  if (/^(s|sec|seconds)$/.test(word)) return "s";
  if (/^(ms|millis|milliseconds)$/.test(word)) return "ms";
  if (/^(us|µs|μs|micros|microseconds)$/.test(word)) return "us";
  return /^(ns|nanos|nanoseconds)$/.test(word) ? "ns" : undefined;
}

const UNITS = new Set(
  (
    "°C C °F F K bar mbar hPa kPa MPa Pa psi m/s mm/s km/h m mm cm km µm V mV kV A mA W kW MW kWh Wh Hz kHz rpm 1/min % %RH ppm " +
    "ppb l/min l/h m3/h m³/h kg g t s ms min h lx dB N Nm kN °"
  ).split(" "),
);

/** The unit that a name gives in its brackets, if any: what stands in them may as well belong to the name. */
export function unitOf({ text, note }: ColumnName): string | undefined {
  return note !== "" && (UNITS.has(note) || text.trim().endsWith("]")) ? note : undefined;
}
