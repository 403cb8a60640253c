/** Exports as files: CSV, Parquet, Arrow, a JSON array, or a JSON object a line. Read piece by piece, so that their size does not matter. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import {
  type CsvOptions,
  CsvProblem,
  type CsvRecord,
  isBadRecord,
  NumberReader,
  openTable,
  TimeReader,
} from "../../formats/csv/index.ts";
import { instantText } from "../../formats/time.ts";
import { inFile, openRows, TABLE_NAME } from "../csv.ts";
import { elements } from "./json.ts";
import { type BadRow, type Fields, snakeCase } from "./row.ts";

/** Longer ones are no rows: a quote or a bracket was never closed. */
const MAX_ROW_CHARACTERS = 1024 * 1024;

export type Found = { readonly where: string; readonly fields: Fields } | BadRow;

/** The rows of an export in the order of the file. Throws where the file as a whole cannot be read. */
export async function* readExport(
  file: string,
  needed: readonly string[],
  options: CsvOptions = {},
): AsyncGenerator<Found> {
  const kind = extname(file).toLowerCase();
  if (kind === ".csv") return yield* readCsv(file, needed, options);
  if (TABLE_NAME.test(file)) {
    if (needed.includes("value")) return yield* readTable(file, needed, options);
    throw new Error(`${file}: alerts are read from CSV and JSON.`);
  }
  if (kind !== ".json" && kind !== ".ndjson" && kind !== ".jsonl") {
    throw new Error(`${file} ends in "${kind}"; wanted .csv, .parquet, .arrow, .feather, .json, .ndjson or .jsonl.`);
  }
  yield* (await firstCharacter(file)) === "[" ? readArray(file) : readLines(file);
}

async function* readCsv(file: string, needed: readonly string[], options: CsvOptions): AsyncGenerator<Found> {
  try {
    const { sample, records, delimiter } = await openTable(createReadStream(file), options);
    const good = sample.filter((each): each is CsvRecord => !isBadRecord(each));
    const names = checkHeader((good[0]?.cells ?? []).map(snakeCase), needed);
    const read = { times: new TimeReader(options), numbers: new NumberReader(options.decimal, delimiter) };
    const column = (name: string) => {
      const at = names.indexOf(name);
      return at < 0 ? [] : good.slice(1).map(({ cells, line }) => [cells[at] ?? "", line] as const);
    };
    read.times.learn(column("timestamp"));
    read.numbers.learn(column("value"));
    let header = true;
    for await (const record of records) {
      if (!header)
        yield isBadRecord(record) ? badRecord(`line ${record.line}`, record.reason) : fieldsOf(record, names, read);
      header = false;
    }
  } catch (error) {
    throw inFile(file, error);
  }
}

/** Tables whose columns have types: values are taken as they are. */
async function* readTable(file: string, required: readonly string[], options: CsvOptions): AsyncGenerator<Found> {
  const how = { ...options, required, timeColumn: "timestamp", valueColumn: ["value"], everyCell: true };
  const { reader, close } = await openRows(file, how);
  try {
    const names = reader.columns.header.map(({ text }) => snakeCase(text));
    for await (const { line, cells, timeUs, points } of reader.rows()) {
      const [loss] = reader.losses.first.splice(0);
      const value = points[0]?.value ?? null;
      if (loss !== undefined) yield badRecord(`row ${line}`, loss.reason);
      else {
        const fields = Object.fromEntries(names.map((name, i) => [name, cells[i]]));
        yield { where: `row ${line}`, fields: { ...fields, value, timestamp: instantText(timeUs) } };
      }
    }
  } catch (error) {
    throw inFile(file, error);
  } finally {
    await close();
  }
}

interface Readers {
  readonly times: TimeReader;
  readonly numbers: NumberReader;
}

/** Cells by the names of their columns; the time and the value as the old platform writes them. */
function fieldsOf({ cells, line }: CsvRecord, names: readonly string[], { times, numbers }: Readers): Found {
  if (cells.length !== names.length) return badRecord(`line ${line}`, "as many cells as the first line has");
  const fields: Record<string, unknown> = Object.fromEntries(names.map((name, i) => [name, cells[i]]));
  const us = times.read(String(fields.timestamp), line);
  if (typeof us === "string") return badRecord(`line ${line}`, `timestamp is ${us}`);
  const value = fields.value === undefined ? undefined : numbers.read(String(fields.value), line);
  if (typeof value === "string") return badRecord(`line ${line}`, `value is ${value}`);
  return { where: `line ${line}`, fields: { ...fields, value: value ?? null, timestamp: instantText(us) } };
}

function badRecord(where: string, wanted: string): BadRow {
  return { where, column: "", value: undefined, wanted };
}

function checkHeader(names: string[], needed: readonly string[]): string[] {
  const missing = needed.filter((name) => !names.includes(name));
  if (missing.length === 0) return names;
  throw new CsvProblem(`the first line has no column ${missing.join(", ")}; it is "${names.join(",").slice(0, 200)}".`);
}

async function* readArray(file: string): AsyncGenerator<Found> {
  const stream = createReadStream(file, { encoding: "utf8", highWaterMark: 1024 * 1024 });
  let index = 0;
  for await (const { text, line } of elements(stream, file, MAX_ROW_CHARACTERS)) {
    yield jsonRow(`line ${line} (element ${index++})`, text);
  }
}

async function* readLines(file: string): AsyncGenerator<Found> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (text.trim() !== "") yield jsonRow(`line ${line}`, line === 1 ? text.replace(/^\ufeff/, "") : text);
  }
}

function jsonRow(where: string, text: string): Found {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { where, column: "", value: undefined, wanted: `wanted JSON, got ${text.slice(0, 60)} (${error})` };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { where, column: "", value: undefined, wanted: `wanted an object, got ${text.slice(0, 60)}` };
  }
  return { where, fields: Object.fromEntries(Object.entries(value).map(([name, each]) => [snakeCase(name), each])) };
}

async function firstCharacter(file: string): Promise<string> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? new Error(`There is no file ${file}.`, { cause: error }) : error;
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(1024), 0, 1024, 0);
    return (
      buffer
        .toString("utf8", 0, bytesRead)
        .replace(/^\ufeff/, "")
        .trimStart()[0] ?? ""
    );
  } finally {
    await handle.close();
  }
}
