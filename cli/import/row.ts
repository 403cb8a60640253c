import type { JsonObject } from "@bufbuild/protobuf";
import type { DeviceReading } from "../../client/index.ts";
import { CONTROL_CHARACTER, MAX_SENSOR_ID } from "../../formats/sensor-id.ts";
import { parseInstant } from "../../formats/time.ts";

/** What a source holds, not yet looked at: columns by their names, as text or as JSON has them. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Row {
  /** Where it stands, for people: "line 7", "id 7". */
  readonly where: string;
  readonly reading: DeviceReading & { readonly observedAtUs: number };
}

/** A row that cannot become a reading, and why. */
export interface BadRow {
  readonly where: string;
  /** The column at fault; empty where no single one is. */
  readonly column: string;
  readonly value: unknown;
  readonly wanted: string;
}

/** The columns of the old platform's `sensor_data` that are taken; what else there is, was its own judgement. */
export const NEEDED = ["sensor_id", "sensor_type", "timestamp", "value", "unit"] as const;
export const OPTIONAL = ["location", "metadata"] as const;

class Refused extends Error {
  readonly column: string;
  readonly value: unknown;
  constructor(column: string, value: unknown, wanted: string) {
    super(wanted);
    this.column = column;
    this.value = value;
  }
}

/** Most characters of each text, by the contract. The server names a whole block of them once; here each row is named. */
const MOST = { sensor_id: MAX_SENSOR_ID, sensor_type: 50, unit: 20, location: 100 } as const;

/** Looks at a row. What depends on the server, such as its clock and what it has stored, is the server's to judge. */
export function toRow(where: string, fields: Fields): Row | BadRow {
  try {
    const metadata = metadataOf(fields.metadata);
    const location = optionalText("location", fields.location);
    const reading = {
      sensorId: text("sensor_id", fields.sensor_id),
      sensorType: text("sensor_type", fields.sensor_type),
      unit: text("unit", fields.unit),
      value: finite(fields.value),
      observedAtUs: instant(fields.timestamp),
      ...(location === undefined ? {} : { location }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    return { where, reading };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { where, column: error.column, value: error.value, wanted: error.message };
  }
}

export function isBad(row: Row | BadRow): row is BadRow {
  return "wanted" in row;
}

/** "line 7, value is "NaN"; wanted a finite number". */
export function badRowText({ where, column, value, wanted }: BadRow): string {
  const shown = value === undefined || value === null ? "missing" : JSON.stringify(value).slice(0, 80);
  return column === "" ? `${where}: ${wanted}` : `${where}, ${column} is ${shown}; wanted ${wanted}`;
}

/** Columns may be named as in the tables and in REST, or as in GraphQL. */
export function snakeCase(name: string): string {
  return name
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

export function instant(value: unknown): number {
  const us = typeof value === "string" ? parseInstant(value) : Number.NaN;
  if (Number.isNaN(us)) throw new Refused("timestamp", value, "ISO 8601, for example 2024-01-31T12:00:00.000001+00:00");
  if (us < 0) throw new Refused("timestamp", value, "a time from 1970 on");
  return us;
}

function text(column: keyof typeof MOST, value: unknown): string {
  if (typeof value !== "string" || value === "") throw new Refused(column, value, "text");
  // Characters, not UTF-16 units: counted only where it can matter.
  const fits = value.length <= MOST[column] || [...value].length <= MOST[column];
  const [bad, name] = column === "sensor_id" ? [CONTROL_CHARACTER, "a control character"] : [/\0/, "NUL"];
  if (fits && !bad.test(value)) return value;
  throw new Refused(column, value, `1 to ${MOST[column]} characters, none of them ${name}`);
}

function optionalText(column: keyof typeof MOST, value: unknown): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : text(column, value);
}

function finite(value: unknown): number {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number)) return number;
  throw new Refused("value", value, "a finite number");
}

/** An object, also as JSON text, as CSV has it. */
function metadataOf(value: unknown): JsonObject | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const parsed = typeof value === "string" ? parseJson(value) : value;
  if (parsed === null) return undefined; // the JSON word, written into a text column
  if (typeof parsed === "object" && !Array.isArray(parsed)) return parsed as JsonObject;
  throw new Refused("metadata", value, "a JSON object or nothing");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says what was wanted
  }
}
