import { CopyBuffer, putBytes, putInt32, putInt64, rowsOf, SIGNATURE } from "../postgres/copy.ts";

/** One row of a segment's table. */
export interface Row {
  readonly partition: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const COLUMNS = 3;
/** Field count, and the lengths and values around the payload. */
const ROW_OVERHEAD = 2 + (4 + 4) + (4 + 8) + 4;

/** PostgreSQL's binary COPY of (partition int4, offset int8, payload bytea): a third of the cost of parameters as text. */
export function encodeRows(rows: readonly Row[]): Buffer {
  const length = rows.reduce((sum, { bytes }) => sum + ROW_OVERHEAD + bytes.length, 0);
  const copy = new CopyBuffer(SIGNATURE.length + length + 2);
  for (const { partition, offset, bytes } of rows) {
    const b = copy.reserve(ROW_OVERHEAD + bytes.length);
    let at = b.writeInt16BE(COLUMNS, copy.position);
    at = putInt32(b, at, partition);
    at = putInt64(b, at, offset);
    copy.advance(putBytes(b, at, bytes));
  }
  return copy.finish();
}

/** Reads what `copy (select offset, payload …) to stdout (format binary)` gave. The payloads are views of it. */
export function decodeEntries(messages: readonly Buffer[]): { offset: number; bytes: Uint8Array }[] {
  return Array.from(rowsOf(messages), ([offset, payload]) => ({
    offset: Number(offset!.readBigInt64BE()),
    bytes: payload!,
  }));
}
