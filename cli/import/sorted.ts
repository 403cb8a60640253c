/**
 * Rows in the order of time, however many: the detector judges a reading only where it is newer than the sensor's last, and
 * exports come newest first as often as not. What does not fit into memory is sorted in pieces on disk and merged.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Row } from "./row.ts";

/** Rows sorted in memory at once: about 100 MB of objects. */
const PIECE_ROWS = 250_000;

export interface SortedRows extends AsyncIterable<Row> {
  readonly count: number;
  /** Removes what is on disk. */
  dispose(): Promise<void>;
}

/** Reads `rows` to their end. Rows of equal time keep their order. */
export async function sortRows(rows: AsyncIterable<Row>, pieceRows = PIECE_ROWS): Promise<SortedRows> {
  const files: string[] = [];
  let folder: string | undefined;
  let piece: Row[] = [];
  let count = 0;
  const dispose = async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    for await (const row of rows) {
      if (piece.length === pieceRows) {
        folder ??= await mkdtemp(join(tmpdir(), "telltale-import-"));
        files.push(await spill(sortPiece(piece), join(folder, String(files.length))));
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

async function spill(rows: readonly Row[], file: string): Promise<string> {
  function* lines() {
    for (const row of rows) yield `${JSON.stringify(row)}\n`;
  }
  await pipeline(Readable.from(lines()), createWriteStream(file));
  return file;
}

async function* load(file: string): AsyncGenerator<Row> {
  for await (const line of createInterface({ input: createReadStream(file) })) yield JSON.parse(line);
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
