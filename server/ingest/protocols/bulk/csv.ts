/** CSV by the reader of the commands. */
import { CsvProblem, CsvReader, isBadRecord, openTable } from "../../../../formats/csv/index.ts";
import type { BulkOptions } from "./parameters.ts";
import { MAX_SERIES, openRows } from "./rows.ts";
import type { BulkSource, RefuseLine } from "./source.ts";

/** @throws UploadProblem where it cannot be found out how the body is written */
export function openCsv(
  body: AsyncIterable<Uint8Array>,
  { csv: options }: BulkOptions,
  refuse: RefuseLine,
): Promise<BulkSource> {
  const open = () => CsvReader.open(body, { ...options, sensorId: undefined, maxSeries: MAX_SERIES });
  return openRows(open, options.sensorId, refuse, ({ columns, delimiter, encoding, numbers }) => () => ({
    ...{ format: "csv", encoding, delimiter },
    ...{ decimal_mark: numbers.decimal ?? ".", header: columns.header.length > 0 },
  }));
}

/** Rows, and cells of each, that a dry run shows as they stand. */
const SHOWN_ROWS = 6;
const SHOWN_CELLS = 100;
const SHOWN_CHARACTERS = 100;

/** The first rows of a body as they stand, also where it is not understood; null where not even its cells can be told apart. */
export async function firstRows(bytes: Uint8Array, { csv }: BulkOptions): Promise<readonly string[][] | null> {
  async function* body() {
    yield bytes;
  }
  try {
    const { sample } = await openTable(body(), csv);
    const cells = sample.flatMap((row) => (isBadRecord(row) ? [] : [row.cells.slice(0, SHOWN_CELLS)]));
    return cells.slice(0, SHOWN_ROWS).map((row) => row.map((cell) => cell.trim().slice(0, SHOWN_CHARACTERS)));
  } catch (error) {
    if (error instanceof CsvProblem) return null;
    throw error;
  }
}
