/** Which format of tables a file is in, by its first bytes. */
import { CsvProblem } from "../csv/problem.ts";

export const PARQUET_MAGIC = "PAR1";
export const ARROW_FILE_MAGIC = "ARROW1";

export type ColumnarFormat = "parquet" | "arrow-file" | "arrow-stream";

/** Bytes that are looked at. */
export const RECOGNISED_BYTES = 8;

/** Undefined where it is neither. @throws CsvProblem for the first version of Feather, which is another format */
export function recognise(first: Uint8Array): ColumnarFormat | undefined {
  const bytes = Buffer.from(first.buffer, first.byteOffset, first.length);
  const text = bytes.toString("latin1");
  if (text.startsWith(PARQUET_MAGIC)) return "parquet";
  if (text.startsWith(ARROW_FILE_MAGIC)) return "arrow-file";
  if (text.startsWith("FEA1")) throw new CsvProblem("the file is Feather version 1: write it with version 2.");
  // A stream begins with the word before a message, and the message's length.
  const isStream = bytes.length >= 8 && bytes.readUInt32LE(0) === 0xffff_ffff && bytes.readInt32LE(4) > 0;
  return isStream ? "arrow-stream" : undefined;
}

export interface Recognised {
  /** Undefined where it is none of these. */
  readonly format: ColumnarFormat | undefined;
  /** All of the bytes. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /** Ends the stream, wherever its reader has stopped. */
  readonly close: () => Promise<void>;
}

/** The format of a stream, by its first bytes. @throws CsvProblem as `recognise` does; the stream is ended then */
export async function recognised(bytes: AsyncIterable<Uint8Array>): Promise<Recognised> {
  const iterator = bytes[Symbol.asyncIterator]();
  let first: Uint8Array = new Uint8Array();
  while (first.length < RECOGNISED_BYTES) {
    const next = await iterator.next();
    if (next.done) break;
    first = first.length === 0 ? next.value : Buffer.concat([first, next.value]);
  }
  async function* pieces() {
    if (first.length > 0) yield first;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const close = async () => void (await iterator.return?.());
  try {
    return { format: recognise(first), pieces: pieces(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws CsvProblem where the file is not in the format that its name or type says */
export function checkFormat(first: Uint8Array, format: ColumnarFormat): void {
  const found = recognise(first);
  if (found === format) return;
  const is = found === undefined ? "begins as no such file does" : `is ${NAMES[found]}`;
  throw new CsvProblem(`the file should be ${NAMES[format]}, and ${is}.`);
}

const NAMES: Readonly<Record<ColumnarFormat, string>> = {
  parquet: "Parquet",
  "arrow-file": "an Arrow file",
  "arrow-stream": "an Arrow stream",
};
