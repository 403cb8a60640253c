/** Exports as files: CSV, a JSON array, or a JSON object a line. Read as streams, so that their size does not matter. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { type CsvError, type Info, parse } from "csv-parse";
import { elements } from "./json.ts";
import { type BadRow, type Fields, snakeCase } from "./row.ts";

/** Longer ones are no rows: a quote or a bracket was never closed. */
export const MAX_ROW_CHARACTERS = 1024 * 1024;

export type Found = { readonly where: string; readonly fields: Fields } | BadRow;

/** The rows of an export in the order of the file. Throws where the file as a whole cannot be read. */
export async function* readExport(file: string, needed: readonly string[]): AsyncGenerator<Found> {
  const kind = extname(file).toLowerCase();
  if (kind === ".csv") return yield* readCsv(file, needed);
  if (kind !== ".json" && kind !== ".ndjson" && kind !== ".jsonl") {
    throw new Error(`${file} ends in "${kind}"; wanted .csv, .json, .ndjson or .jsonl.`);
  }
  yield* (await firstCharacter(file)) === "[" ? readArray(file) : readLines(file);
}

async function* readCsv(file: string, needed: readonly string[]): AsyncGenerator<Found> {
  const skipped: BadRow[] = [];
  const parser = createReadStream(file).pipe(
    parse({
      bom: true,
      columns: (header: string[]) => checkHeader(header.map(snakeCase), needed),
      info: true,
      max_record_size: MAX_ROW_CHARACTERS,
      skip_empty_lines: true,
      skip_records_with_error: true,
      on_skip: (error: CsvError | undefined) => {
        const line = Number(error?.lines ?? 0);
        skipped.push({ where: `line ${line}`, column: "", value: undefined, wanted: csvSentence(error) });
      },
    }),
  );
  try {
    for await (const { record, info } of parser as AsyncIterable<{ record: Fields; info: Info }>) {
      yield* skipped.splice(0);
      yield { where: `line ${info.lines}`, fields: record };
    }
    yield* skipped;
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
}

function checkHeader(names: string[], needed: readonly string[]): string[] {
  const missing = needed.filter((name) => !names.includes(name));
  if (missing.length === 0) return names;
  throw new Error(`the first line has no column ${missing.join(", ")}; it is "${names.join(",").slice(0, 200)}".`);
}

function csvSentence(error: CsvError | undefined): string {
  if (error?.code === "CSV_RECORD_INCONSISTENT_COLUMNS") return "as many cells as the first line has";
  return error?.message ?? "a row of CSV";
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
