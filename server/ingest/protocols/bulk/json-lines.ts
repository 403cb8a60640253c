/** JSON lines: in each an object, with the names that `POST /api/v1/sensors/data` has. */
import type { JsonObject } from "@bufbuild/protobuf";
import { CsvProblem, decodeText, TimeReader } from "../../../../formats/csv/index.ts";
import { MAX_TIME_US, parseEpoch } from "../../../../formats/time.ts";
import { quoted, quotedValue } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import { finiteNumber } from "../number.ts";
import type { Series } from "../points.ts";
import type { BulkOptions } from "./parameters.ts";
import { asParameters } from "./rows.ts";
import { type BulkPoint, type BulkSource, type RefuseLine, UploadProblem } from "./source.ts";

/** Characters of a line; what is longer is no reading. */
const MAX_LINE = 128 * 1024;
/** Series that are remembered; past it they are made anew. */
const MAX_SERIES = 10_000;
const NAMES = [
  "sensor_id",
  "sensor_type",
  "value",
  "unit",
  "location",
  "metadata",
  "observed_at",
  "timestamp",
] as const;
const KNOWN: ReadonlySet<string> = new Set(NAMES);
const NO_ATTRIBUTES = Object.freeze({});

export function openJsonLines(body: AsyncIterable<Uint8Array>, options: BulkOptions, refuse: RefuseLine): BulkSource {
  return new JsonLines(body, options, refuse);
}

class JsonLines implements BulkSource {
  readonly missing = 0;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #options: BulkOptions["csv"];
  readonly #refuse: RefuseLine;
  readonly #times: TimeReader;
  readonly #known = new Map<string, Series>();
  #encoding = "utf-8";
  #begun = false;

  constructor(body: AsyncIterable<Uint8Array>, { csv }: BulkOptions, refuse: RefuseLine) {
    this.#body = body;
    this.#options = csv;
    this.#refuse = refuse;
    // Each line is a request of its own: a time without a zone is UTC, as there, whatever other lines have.
    this.#times = readerOf({ ...csv, timeZone: csv.timeZone ?? "UTC" });
  }

  understood() {
    const { timeZone = "UTC", timeUnit } = this.#options;
    const numbers = timeUnit === undefined ? "" : `; numbers count ${timeUnit} since 1970`;
    const time = `ISO 8601, without a zone taken as ${timeZone}${numbers}`;
    const description = `a JSON object in each line; time observed_at or timestamp (${time})`;
    return { format: "jsonl", description, encoding: this.#encoding, time, time_zone: timeZone } as const;
  }

  async *points(): AsyncGenerator<readonly BulkPoint[]> {
    try {
      for await (const lines of this.#lines()) yield lines;
    } catch (error) {
      throw error instanceof CsvProblem ? new UploadProblem(asParameters(error.message)) : error;
    }
    if (!this.#begun) throw new UploadProblem("the body holds no lines.");
  }

  async *#lines(): AsyncGenerator<BulkPoint[]> {
    const named = (encoding: string) => {
      this.#encoding = encoding;
    };
    let line = 0;
    let rest = "";
    let isTooLong = false;
    const take = (text: string): BulkPoint | undefined => {
      line++;
      if (!isTooLong && text.length <= MAX_LINE) return this.#point(text, line);
      isTooLong = false;
      this.#refuse(line, `the line is longer than ${MAX_LINE} characters`);
      this.#begun = true;
      return undefined;
    };
    for await (const text of decodeText(this.#body, this.#options.encoding, named)) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      yield lines.map(take).filter((point) => point !== undefined);
      // Its beginning is enough to know that it is no reading.
      if (rest.length > MAX_LINE) {
        isTooLong = true;
        rest = "";
      }
    }
    if (rest === "" && !isTooLong) return;
    const last = take(rest);
    if (last !== undefined) yield [last];
  }

  #point(text: string, line: number): BulkPoint | undefined {
    if (text.trim() === "") return undefined;
    const found = this.#read(text, line);
    this.#begun = true;
    if (typeof found === "string") {
      this.#refuse(line, found);
      return undefined;
    }
    return { line, ...found };
  }

  /** Or why the line is no reading. */
  #read(text: string, line: number): Omit<BulkPoint, "line"> | string {
    const fields = objectOf(text);
    if (fields === undefined) {
      // Of a body in another format every line is bad: the first says so for all.
      if (!this.#begun) throw new UploadProblem(`line ${line}: ${noObject(text)}.`, { line });
      return noObject(text);
    }
    const names = Object.keys(fields);
    for (const name of names)
      if (!KNOWN.has(name)) return `there is no field ${quoted(name)}${didYouMean(name, NAMES)}`;
    if (keysOf(text) !== names.length) return "a field stands twice in the object";
    const series = this.#seriesOf(fields);
    if (typeof series === "string") return series;
    const value = numberOf(fields.value);
    if (typeof value === "string") return value;
    const timeUs = this.#timeOf(fields, line);
    if (typeof timeUs === "string") return timeUs;
    const { metadata } = fields;
    if (metadata === undefined || metadata === null) return { series, timeUs, value };
    if (typeof metadata !== "object" || Array.isArray(metadata))
      return `metadata is ${quotedValue(metadata)}: give an object or null`;
    return { series, timeUs, value, metadata: { fields: metadata as JsonObject, characters: text.length } };
  }

  #seriesOf(fields: Fields): Series | string {
    const { options } = this.#texts(fields);
    if (typeof options === "string") return options;
    const [sensorId, sensorType, unit, location] = options;
    const key = `${sensorId}\0${sensorType}\0${unit}\0${location}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_SERIES) this.#known.clear();
    const place = location === "" ? {} : { location };
    const series = { sensorId, sensorType, unit, ...place, attributes: NO_ATTRIBUTES };
    // Longer ones are refused by the ingestor, and need not be remembered.
    if (key.length <= 1_000) this.#known.set(key, series);
    return series;
  }

  /** What the line says; where it says nothing, what the parameters say of all. */
  #texts(fields: Fields): { readonly options: readonly [string, string, string, string] | string } {
    const { sensorId, sensorType, unit, location } = this.#options;
    const ofAll = { sensor_id: sensorId, sensor_type: sensorType, unit, location };
    const texts: string[] = [];
    for (const [name, given] of Object.entries(ofAll)) {
      const own = fields[name] ?? undefined;
      if (own !== undefined && typeof own !== "string") return { options: `${name} is ${quotedValue(own)}: give text` };
      if (own !== undefined && given !== undefined && own !== given)
        return { options: `${name} is ${quoted(own)}, and the parameter ${name} says ${quoted(given)}` };
      const text = own ?? given ?? "";
      if (text === "" && name !== "location")
        return { options: `${name} is missing: give it in the line or the query` };
      texts.push(text);
    }
    return { options: texts as unknown as [string, string, string, string] };
  }

  #timeOf({ observed_at, timestamp }: Fields, line: number): number | string {
    const [own, other] = [observed_at ?? undefined, timestamp ?? undefined];
    if (own !== undefined && other !== undefined && own !== other) return "observed_at and timestamp differ: give one";
    const [name, time] = own === undefined ? ["timestamp", other] : ["observed_at", own];
    if (time === undefined)
      return "observed_at is missing: give the time, by which a reading that is sent again is recognised";
    const { timeUnit } = this.#options;
    // Greater ones are not what was written any more.
    const text = typeof time === "number" && Math.abs(time) <= Number.MAX_SAFE_INTEGER ? String(time) : time;
    const isNumber = typeof text === "string" && /^[+-]?\d+(?:\.\d*)?$/.test(text.trim());
    if (typeof text !== "string" || (typeof time === "number" && timeUnit === undefined))
      return `${name} is ${quotedValue(time)}: give ISO 8601, or a number (of more than 15 digits as text) with the parameter time_unit`;
    const us =
      isNumber && timeUnit !== undefined ? checked(parseEpoch(text, timeUnit), text) : this.#times.read(text, line);
    return typeof us === "number" ? us : `${name} is ${asParameters(us)}`;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function readerOf(options: BulkOptions["csv"]): TimeReader {
  try {
    return new TimeReader(options);
  } catch (error) {
    throw error instanceof CsvProblem ? new UploadProblem(error.message) : error;
  }
}

/** Microseconds that the contract has a time for, or why not. */
function checked(us: number, text: string): number | string {
  return us >= 0 && us <= MAX_TIME_US ? us : `${quoted(text)}, which is no time from 1970 to 9999`;
}

function objectOf(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function noObject(text: string): string {
  return `wanted a JSON object with one reading, got ${quoted(text.trim())}`;
}

/** Keys of the outermost object of a text that is one, each time that they stand there. */
export function keysOf(text: string): number {
  let depth = 0;
  let keys = 0;
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (c === '"') {
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++;
    } else if (c === "{" || c === "[") depth++;
    else if (c === "}" || c === "]") depth--;
    else if (c === ":" && depth === 1) keys++;
  }
  return keys;
}

function numberOf(value: unknown): number | string {
  if (value === undefined || value === null) return "value is missing: give a number";
  return finiteNumber(value) ?? `value is ${quotedValue(value)}: give a finite number`;
}
