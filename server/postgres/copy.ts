import { Writable } from "node:stream";
import type { Sql } from "postgres";

/** What `COPY … (FORMAT binary)` begins with. Rows are written by hand: 0.25 µs a row against 2 µs as text. */
export const SIGNATURE = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
const TRAILER = Buffer.from([0xff, 0xff]);

/** Rows of one COPY, gathered in one growing buffer. */
export class CopyBuffer {
  #buffer: Buffer;
  #at: number;

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafe(Math.max(capacity, 4096));
    this.#at = SIGNATURE.copy(this.#buffer, 0);
  }

  /** Makes room for `bytes` more and answers with the buffer to write to, from `position` on. */
  reserve(bytes: number): Buffer {
    if (this.#at + bytes > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#at + bytes));
      this.#buffer.copy(larger, 0, 0, this.#at);
      this.#buffer = larger;
    }
    return this.#buffer;
  }

  get position(): number {
    return this.#at;
  }

  /** Records how much of the reserved space was filled. */
  advance(to: number): void {
    this.#at = to;
  }

  finish(): Buffer {
    this.reserve(TRAILER.length);
    this.#at += TRAILER.copy(this.#buffer, this.#at);
    return this.#buffer.subarray(0, this.#at);
  }
}

export function putInt16(b: Buffer, at: number, n: number): number {
  b.writeInt32BE(2, at);
  b.writeInt16BE(n, at + 4);
  return at + 6;
}

export function putInt32(b: Buffer, at: number, n: number): number {
  b.writeInt32BE(4, at);
  b.writeInt32BE(n, at + 4);
  return at + 8;
}

/** Integers up to 2^53. */
export function putInt64(b: Buffer, at: number, n: number): number {
  b.writeInt32BE(8, at);
  const high = Math.floor(n / 4294967296);
  b.writeInt32BE(high, at + 4);
  b.writeUInt32BE(n - high * 4294967296, at + 8);
  return at + 12;
}

/** Returns the position after the value, like the others; the room must have been reserved. */
export function putBytes(b: Buffer, at: number, bytes: Uint8Array): number {
  b.writeInt32BE(bytes.length, at);
  b.set(bytes, at + 4);
  return at + 4 + bytes.length;
}

/**
 * Runs statements in one transaction, among them as many `copy … from stdin` as there are `copies` (each the pieces of its data), and
 * resolves once the server has committed them all. One message brings the statements and one answer ends them; only where data are due does
 * the server say so in between.
 *
 * The library's stream tells neither a refusal after the last byte nor a connection lost there, and it knows of one COPY a query: the
 * query's own `resolve` and `reject`, which it calls in every case, are taken over. `log.test.ts` breaks when a new version differs.
 */
export async function copyIn(
  sql: Sql,
  statements: string,
  ...copies: readonly (readonly Uint8Array[])[]
): Promise<void> {
  const query = sql.unsafe(statements) as unknown as Settled & { execute(): void };
  const due = [...copies];
  await new Promise<void>((resolve, reject) => {
    query.resolve = (value) => {
      if (!(value instanceof Writable)) return resolve();
      value.once("error", reject);
      // The library tells the server that the COPY has failed whenever its stream goes, also at the good end: where another COPY follows it
      // would be that one.
      const destroy = value.destroy.bind(value);
      value.destroy = (error) => (error ? destroy(error) : value);
      for (const piece of due.shift() ?? []) value.write(piece);
      value.end();
    };
    query.reject = reject;
    query.execute();
  });
}

/** A complete COPY without its head, or without its end, so that several follow each other as one. */
export function joinCopies(copies: readonly Uint8Array[]): Uint8Array[] {
  return copies.map((bytes, i) =>
    bytes.subarray(
      i === 0 ? 0 : SIGNATURE.length,
      i === copies.length - 1 ? bytes.length : bytes.length - TRAILER.length,
    ),
  );
}

interface Settled {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The rows of a complete binary COPY as `copyOut` gives it, each as views of its fields; of columns that are never null. */
export function* rowsOf(messages: readonly Buffer[]): Generator<Buffer[]> {
  let at = SIGNATURE.length;
  for (const message of messages) {
    // A row of -1 fields is the end.
    while (at < message.length && message.readInt16BE(at) >= 0) {
      const row: Buffer[] = [];
      const fields = message.readInt16BE(at);
      at += 2;
      while (row.length < fields) {
        const length = message.readInt32BE(at);
        at += 4 + length;
        row.push(message.subarray(at - length, at));
      }
      yield row;
    }
    at = 0;
  }
}

/**
 * Runs `copy … to stdout` and resolves with all that came, whose bytes the statement bounds: messages of the server, each of which begins
 * with a row and holds all of it, as its protocol says. To put them together would be a third copy.
 */
export async function copyOut(sql: Sql, statement: string): Promise<Buffer[]> {
  const query = sql.unsafe(statement);
  const stream = await query.readable();
  const messages: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    (query as unknown as Settled).reject = reject;
    stream.on("data", (message: Buffer) => messages.push(message));
    stream.once("error", reject);
    stream.once("end", resolve);
  });
  return messages;
}
