import type { Writable } from "node:stream";
import type { Sql } from "postgres";

/** One row of a segment's table. */
export interface Row {
  readonly partition: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const signature = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const endOfData = Buffer.from([0xff, 0xff]);
/** Field count, and the lengths and values around the payload. */
const rowOverhead = 2 + (4 + 4) + (4 + 8) + 4;

/** PostgreSQL's binary COPY of (partition int4, offset int8, payload bytea): a third of the cost of parameters as text. */
export function encodeRows(rows: readonly Row[]): Buffer {
  let length = signature.length + endOfData.length;
  for (const row of rows) length += rowOverhead + row.bytes.length;
  const out = Buffer.allocUnsafe(length);
  let at = signature.copy(out);
  for (const { partition, offset, bytes } of rows) {
    at = out.writeInt16BE(3, at);
    at = out.writeInt32BE(4, at);
    at = out.writeInt32BE(partition, at);
    at = out.writeInt32BE(8, at);
    at = out.writeBigInt64BE(BigInt(offset), at);
    at = out.writeInt32BE(bytes.length, at);
    out.set(bytes, at);
    at += bytes.length;
  }
  endOfData.copy(out, at);
  return out;
}

/** Reads what `copy (select offset, payload …) to stdout (format binary)` gave. The payloads are views of `data`. */
export function decodeEntries(data: Buffer): { offset: number; bytes: Uint8Array }[] {
  const entries = [];
  let at = signature.length;
  while (data.readInt16BE(at) !== -1) {
    const offset = Number(data.readBigInt64BE(at + 6));
    const length = data.readInt32BE(at + 14);
    at += 18 + length;
    entries.push({ offset, bytes: data.subarray(at - length, at) });
  }
  return entries;
}

/**
 * Runs `copy … from stdin` and resolves once the server has committed it. The library's stream tells neither a refusal after
 * the last byte nor a connection lost there (its promise was used up when the stream was handed out): the query's own
 * `resolve` and `reject`, which it calls in every case, are taken over. `log.test.ts` breaks when a new version differs.
 */
export async function copyIn(sql: Sql, statement: string, data: Buffer): Promise<void> {
  const query = sql.unsafe(statement) as unknown as Settled & { writable(): Promise<Writable> };
  const stream = await query.writable();
  await new Promise<void>((resolve, reject) => {
    query.resolve = () => resolve();
    query.reject = reject;
    stream.once("error", reject);
    stream.end(data);
  });
}

interface Settled {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** Runs `copy … to stdout` and resolves with all bytes; the statement bounds their number. */
export async function copyOut(sql: Sql, statement: string): Promise<Buffer> {
  const query = sql.unsafe(statement);
  const stream = await query.readable();
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    (query as unknown as Settled).reject = reject;
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("error", reject);
    stream.once("end", resolve);
  });
  return Buffer.concat(chunks);
}
