import { openArrowFile, openArrowStream } from "./arrow/read.ts";
import { Budget } from "./budget.ts";
import { openParquet } from "./parquet/read.ts";
import type { RandomAccess } from "./random-access.ts";
import { type ColumnarOptions, ColumnarReader } from "./reader.ts";
import type { ColumnarFormat } from "./recognise.ts";

/**
 * Parquet, or Arrow's file format (Feather version 2).
 *
 * @param maxBytes in memory at once
 * @throws CsvProblem where it is none, or it cannot be found out what the columns mean
 */
export async function openColumnarFile(
  format: Exclude<ColumnarFormat, "arrow-stream">,
  file: RandomAccess,
  options: ColumnarOptions = {},
  maxBytes?: number,
): Promise<ColumnarReader> {
  const open = format === "parquet" ? openParquet : openArrowFile;
  return await ColumnarReader.open(
    () => open(file, new Budget(maxBytes)),
    () => file.size,
    options,
  );
}

/** Arrow's stream format, which is read as it comes. */
export async function openColumnarStream(
  pieces: AsyncIterable<Uint8Array>,
  options: ColumnarOptions = {},
  maxBytes?: number,
): Promise<ColumnarReader> {
  let bytes = 0;
  async function* counted() {
    for await (const piece of pieces) {
      bytes += piece.length;
      yield piece;
    }
  }
  return await ColumnarReader.open(
    () => openArrowStream(counted(), new Budget(maxBytes)),
    () => bytes,
    options,
  );
}
