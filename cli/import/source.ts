/** Where old readings come from: a table or an export, as one kind of thing. */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { CsvOptions } from "../../formats/csv/index.ts";
import { isDatabase, openOldDatabase, type Place } from "./database.ts";
import { readExport } from "./files.ts";
import { type BadRow, isBad, NEEDED, type Row, toRow } from "./row.ts";
import { sortRows } from "./sorted.ts";
import type { Position } from "./state.ts";

export interface PlacedRow extends Row {
  /** Where an import goes on once this row is settled. */
  readonly position: Position;
}

export interface Source {
  /** The same for the same content: a file that has changed is another source. */
  readonly name: string;
  /** Rows that are still to be sent, as far as known. */
  readonly total: number;
  /** In the order of time. */
  rows(): AsyncGenerator<PlacedRow>;
  close(): Promise<void>;
}

export interface ImportHooks {
  bad(row: BadRow): void;
  /** Rows read so far, before the first is sent. */
  reading(rows: number): void;
}

/** Names a source without opening it. */
export async function sourceName(source: string): Promise<string> {
  if (isDatabase(source)) {
    const database = openOldDatabase(source);
    await database.close();
    return database.name;
  }
  const { size, mtimeMs } = await stat(source).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOENT" ? new Error(`There is no file ${source}.`, { cause: error }) : error;
  });
  return `${resolve(source)} (${size} bytes, ${new Date(mtimeMs).toISOString()})`;
}

export async function openSource(
  source: string,
  after: Position | undefined,
  hooks: ImportHooks,
  csv: CsvOptions,
): Promise<Source> {
  const name = await sourceName(source);
  return isDatabase(source)
    ? openTable(source, name, after as Place | undefined, hooks)
    : openFile(source, name, (after as number | undefined) ?? 0, hooks, csv);
}

async function openTable(url: string, name: string, after: Place | undefined, hooks: ImportHooks): Promise<Source> {
  const database = openOldDatabase(url);
  const total = await database.count(after).catch(async (error) => {
    await database.close();
    throw error;
  });
  return {
    name,
    total,
    close: () => database.close(),
    rows: async function* () {
      for await (const fields of database.readings(after)) {
        const row = toRow(`id ${fields.id}`, fields);
        if (isBad(row)) hooks.bad(row);
        else yield { ...row, position: { timestamp: fields.timestamp, id: fields.id } };
      }
    },
  };
}

async function openFile(
  file: string,
  name: string,
  after: number,
  hooks: ImportHooks,
  csv: CsvOptions,
): Promise<Source> {
  let read = 0;
  async function* good(): AsyncGenerator<Row> {
    for await (const found of readExport(file, NEEDED, csv)) {
      hooks.reading(++read);
      const row = "wanted" in found ? found : toRow(found.where, found.fields);
      if (!isBad(row)) yield row;
      // Those that an earlier run has reported are not reported again.
      else if (after === 0) hooks.bad(row);
    }
  }
  const sorted = await sortRows(good());
  return {
    name,
    total: Math.max(0, sorted.count - after),
    close: () => sorted.dispose(),
    rows: async function* () {
      let position = 0;
      for await (const row of sorted) if (++position > after) yield { ...row, position };
    },
  };
}
