/** Parquet: its row groups one after another, of each column a page at a time. */
import { type Budget, damaged } from "../budget.ts";
import type { RandomAccess } from "../random-access.ts";
import type { ColumnarFile, Rows } from "../values.ts";
import { ColumnReader } from "./column.ts";
import { type Footer, type ParquetField, type RowGroup, readFooter } from "./footer.ts";

/** @throws CsvProblem where the file has no footer that is read */
export async function openParquet(file: RandomAccess, budget: Budget): Promise<ColumnarFile> {
  return new ParquetFile(file, await readFooter(file, budget), budget);
}

class ParquetFile implements ColumnarFile {
  readonly format = "Parquet";
  readonly fields: readonly ParquetField[];
  readonly #file: RandomAccess;
  readonly #footer: Footer;
  readonly #budget: Budget;
  #only: ReadonlySet<number> | undefined;

  constructor(file: RandomAccess, footer: Footer, budget: Budget) {
    this.fields = footer.fields;
    this.#file = file;
    this.#footer = footer;
    this.#budget = budget;
  }

  only(columns: ReadonlySet<number>): void {
    this.#only = columns;
  }

  async *rows(): AsyncGenerator<Rows> {
    for (const group of this.#footer.rowGroups()) yield* this.#group(group);
  }

  async *#group({ rows, chunks }: RowGroup): AsyncGenerator<Rows> {
    const readers = this.fields.map((field) => {
      if (field.type.kind === "other") return undefined;
      const chunk = chunks[field.chunk];
      if (chunk === undefined) throw damaged("a row group without all of its columns");
      return new ColumnReader(this.#file, field, chunk, this.#budget);
    });
    let left = rows;
    try {
      while (left > 0) {
        this.#drop(readers);
        let count = left;
        // One after another: pages of many columns at once would be more work in memory than one.
        for (const reader of readers) if (reader !== undefined) count = Math.min(count, await reader.available());
        if (readers.every((reader) => reader === undefined)) return;
        yield { count, columns: readers.map((reader) => reader?.take(count)) };
        left -= count;
      }
    } finally {
      for (const reader of readers) reader?.close();
    }
  }

  /** Columns that are not read any more give their memory back. */
  #drop(readers: (ColumnReader | undefined)[]): void {
    const only = this.#only;
    if (only === undefined) return;
    readers.forEach((reader, i) => {
      if (reader === undefined || only.has(i)) return;
      reader.close();
      readers[i] = undefined;
    });
  }
}
