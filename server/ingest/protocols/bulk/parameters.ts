/** The query of an upload: the options of the commands that read files, in snake case. */
import type { CsvOptions } from "../../../../formats/csv/index.ts";
import { readTime } from "../../../../formats/time.ts";
import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import { HttpRefusal } from "../../protocol.ts";

export const NAMED_FORMATS = ["csv", "jsonl", "parquet", "arrow"] as const;
export type Format = (typeof NAMED_FORMATS)[number];

export interface BulkOptions {
  readonly format: Format;
  /** Nothing is stored; the answer says how the beginning would be understood. */
  readonly dryRun: boolean;
  readonly csv: CsvOptions;
}

/** Of texts whose cells are to be told apart. */
const OF_CSV = ["delimiter", "header"] as const;
const OF_TEXTS = ["encoding"] as const;
/** Of what has columns, CSV too. */
const OF_COLUMNS = [
  ...["decimal", "time_column", "value_column", "sensor_column", "wide"],
  ...["day_first", "month_first", "interval", "start"],
] as const;
const OF_ALL = [
  ...["format", "dry_run", "time_zone", "dst", "time_unit"],
  ...["sensor_id", "sensor_type", "unit", "location"],
] as const;
export const PARAMETERS = [...OF_ALL, ...OF_TEXTS, ...OF_COLUMNS, ...OF_CSV] as const;
const NAMES: readonly string[] = PARAMETERS;
/** Parameters that a format does not have. */
const NOT_OF: Readonly<Record<Format, readonly string[]>> = {
  csv: [],
  jsonl: [...OF_CSV, ...OF_COLUMNS],
  parquet: [...OF_CSV, ...OF_TEXTS],
  arrow: [...OF_CSV, ...OF_TEXTS],
};
const TITLES: Readonly<Record<Format, string>> = {
  csv: "CSV",
  jsonl: "JSON lines",
  parquet: "Parquet",
  arrow: "Arrow",
};

/** Content types without their parameters. */
export const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ["text/csv", "csv"],
  ["application/csv", "csv"],
  ["text/tab-separated-values", "csv"],
  ...["application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines"].map(
    (type) => [type, "jsonl"] as const,
  ),
  ["application/x-jsonlines", "jsonl"],
  ["application/vnd.apache.parquet", "parquet"],
  ["application/vnd.apache.arrow.stream", "arrow"],
  ["application/vnd.apache.arrow.file", "arrow"],
]);

/** @throws HttpRefusal 415 where neither says what the body is, 422 for a parameter that is wrong or of another format */
export function bulkOptions(query: URLSearchParams, headers: Headers): BulkOptions {
  const read = new Query(query);
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").split(";").map((part) => part.trim());
  const format = read.choice("format", NAMED_FORMATS) ?? formatOf(type.toLowerCase());
  const dryRun = read.flag("dry_run") ?? false;
  checkNames(query, format);
  const [dayFirst, monthFirst] = [read.flag("day_first") ?? false, read.flag("month_first") ?? false];
  if (dayFirst && monthFirst) throw wrong("day_first and month_first exclude each other");
  const interval = read.number("interval");
  const startUs = read.time("start");
  if ((interval === undefined) !== (startUs === undefined)) throw wrong("interval and start go together: give both");
  const values = query.getAll("value_column").map((name) => filled("value_column", name));
  const csv: CsvOptions = {
    delimiter: read.text("delimiter") ?? (type.toLowerCase() === "text/tab-separated-values" ? "\t" : undefined),
    decimal: read.choice("decimal", [".", ","]),
    encoding: read.text("encoding") ?? charsetOf(parameters),
    timeColumn: read.text("time_column"),
    valueColumn: values.length === 0 ? undefined : values,
    sensorColumn: read.text("sensor_column"),
    wide: read.flag("wide"),
    header: read.flag("header"),
    timeZone: read.text("time_zone"),
    dst: read.choice("dst", ["refuse", "earlier", "later"]),
    timeUnit: read.choice("time_unit", ["s", "ms", "us", "ns"]),
    dayOrder: dayFirst ? "day-first" : monthFirst ? "month-first" : undefined,
    intervalUs: interval === undefined ? undefined : interval * 1e6,
    startUs,
    sensorId: read.text("sensor_id"),
    sensorType: read.text("sensor_type"),
    unit: read.text("unit"),
    location: read.text("location"),
  };
  return { format, dryRun, csv };
}

function formatOf(type: string): Format {
  const format = FORMATS.get(type);
  if (format !== undefined) return format;
  const has = type === "" ? "there is no content-type" : `content-type is ${quoted(type)}`;
  const message = `${has}: send text/csv, application/x-ndjson, application/vnd.apache.parquet or application/vnd.apache.arrow.stream, or give format=csv, jsonl, parquet or arrow`;
  throw new HttpRefusal(415, "invalid", message);
}

function charsetOf(parameters: readonly string[]): string | undefined {
  for (const parameter of parameters) {
    const charset = /^charset="?([\w.:-]+)"?$/i.exec(parameter)?.[1];
    if (charset !== undefined) return charset;
  }
  return undefined;
}

function checkNames(query: URLSearchParams, format: Format): void {
  for (const name of new Set(query.keys())) {
    if (!NAMES.includes(name)) throw wrong(`there is no parameter ${quoted(name)}${didYouMean(name, NAMES)}`);
    if (NOT_OF[format].includes(name))
      throw wrong(`${name} is of CSV, and the body is ${TITLES[format]}: leave it out`);
    if (name !== "value_column" && query.getAll(name).length > 1) throw wrong(`${name} is given twice: give it once`);
  }
}

class Query {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  text(name: string): string | undefined {
    const text = this.#query.get(name);
    return text === null ? undefined : filled(name, text);
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const text = this.#query.get(name);
    if (text === null || choices.includes(text as T)) return (text ?? undefined) as T | undefined;
    throw wrong(`${name} is ${quoted(text)}: give ${choices.map((each) => JSON.stringify(each)).join(" or ")}`);
  }

  /** As in the other queries of REST. */
  flag(name: string): boolean | undefined {
    const text = this.#query.get(name);
    if (text === null) return undefined;
    if (/^(true|1|yes|on)$/i.test(text)) return true;
    if (/^(false|0|no|off)$/i.test(text)) return false;
    throw wrong(`${name} is ${quoted(text)}: give true or false`);
  }

  number(name: string): number | undefined {
    const text = this.#query.get(name);
    if (text === null) return undefined;
    const number = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (number >= 1e-6 && number <= 1e9) return number;
    throw wrong(`${name} is ${quoted(text)}: give seconds from 0.000001 to 1000000000`);
  }

  time(name: string): number | undefined {
    const text = this.#query.get(name);
    if (text === null) return undefined;
    try {
      return readTime(text);
    } catch (error) {
      if (error instanceof RangeError) throw wrong(`${name}: ${error.message}`);
      throw error;
    }
  }
}

function filled(name: string, text: string): string {
  if (text === "") throw wrong(`${name} is empty: give a value, or leave it out`);
  return text;
}

function wrong(message: string): HttpRefusal {
  return new HttpRefusal(422, "invalid", message);
}
