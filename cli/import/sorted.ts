/**
 * Rows in the order of time, however many: the detector judges a reading only where it is newer than the sensor's last, and
 * exports come newest first as often as not. What does not fit into memory is sorted in pieces on disk and merged.
 */
import type { FileHandle } from "node:fs/promises";
import { append, openUnnamed } from "../../formats/unnamed.ts";
import type { Row } from "./row.ts";

/** Rows sorted in memory at once: about 100 MB of objects. */
const PIECE_ROWS = 250_000;

/** Written at once. */
const ROWS_AT_ONCE = 1_000;

export interface SortedRows extends AsyncIterable<Row> {
  readonly count: number;
  /** Removes what is on disk. */
  dispose(): Promise<void>;
}

/** Reads `rows` to their end. Rows of equal time keep their order. */
export async function sortRows(rows: AsyncIterable<Row>, pieceRows = PIECE_ROWS): Promise<SortedRows> {
  const files: FileHandle[] = [];
  let piece: Row[] = [];
  let count = 0;
  const dispose = async () => {
    for (const file of files.splice(0)) await file.close();
  };
  try {
    for await (const row of rows) {
      if (piece.length === pieceRows) {
        const file = await openUnnamed("telltale-import-");
        files.push(file);
        await spill(sortPiece(piece), file);
        piece = [];
      }
      piece.push(row);
      count++;
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  sortPiece(piece);
  return { count, dispose, [Symbol.asyncIterator]: () => merge([...files.map(load), inMemory(piece)]) };
}

function sortPiece(rows: Row[]): Row[] {
  return rows.sort((a, b) => a.reading.observedAtUs - b.reading.observedAtUs); // stable
}

async function spill(rows: readonly Row[], file: FileHandle): Promise<void> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    const lines = rows.slice(from, from + ROWS_AT_ONCE).map((row) => `${JSON.stringify(row)}\n`);
    await append(file, lines.join(""));
  }
}

async function* load(file: FileHandle): AsyncGenerator<Row> {
  for await (const line of file.readLines({ start: 0, autoClose: false })) yield JSON.parse(line);
}

async function* inMemory(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* rows;
}

/** The pieces are few (a hundred for 25 million rows): looking at each head is as good as a heap. */
async function* merge(pieces: readonly AsyncGenerator<Row>[]): AsyncGenerator<Row> {
  const heads = await Promise.all(pieces.map(async (rows) => ({ rows, next: await rows.next() })));
  for (;;) {
    let first: (typeof heads)[number] | undefined;
    for (const head of heads) {
      if (head.next.done) continue;
      if (first === undefined || timeOf(head.next) < timeOf(first.next)) first = head;
    }
    if (first === undefined) return;
    yield first.next.value as Row;
    first.next = await first.rows.next();
  }
}

function timeOf(result: IteratorResult<Row>): number {
  return (result.value as Row).reading.observedAtUs;
}
