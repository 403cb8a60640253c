/**
 * Hand-made encoder of `telltale.v1.LogRecord` for the hot path. What it writes is plain protobuf; `record.test.ts` holds it to
 * the contract by reading it back with the generated code.
 */

/** A run of readings of one series, as accept gathers it. */
export interface Run {
  /** The bytes of a `SeriesKey`, one character each. */
  readonly key: string;
  /** Index in the batch of the run's first reading; the others follow it. */
  readonly firstIndex: number;
  /** Microseconds since 1970, or undefined where the sender gave no time. */
  readonly times: ArrayLike<number> | undefined;
  readonly values: ArrayLike<number>;
  /** Struct messages in binary form with their positions in the run. */
  readonly metadata: readonly { position: number; struct: Uint8Array }[] | undefined;
  /** A SensorAttributes message in binary form, where the run brings any. */
  readonly attributes: Uint8Array | undefined;
}

export interface FragmentHead {
  readonly producer: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly traceparent: string;
  readonly echo: boolean;
}

const TWO_32 = 4294967296;
const text = new TextEncoder();

/** Columns pass through these so that one memory copy moves them; typed arrays are little-endian on every host Node runs on. */
const SCRATCH_POINTS = 8192;
const FEW_POINTS = 4;
const scratch64 = new Float64Array(SCRATCH_POINTS);
const scratch32 = new Uint32Array(scratch64.buffer);
const scratch8 = new Uint8Array(scratch64.buffer);

function varintSize(n: number): number {
  let size = 1;
  for (let rest = n; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

function putVarint(out: Uint8Array, at: number, n: number): number {
  let rest = n;
  let p = at;
  while (rest >= 128) {
    out[p++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  out[p++] = rest;
  return p;
}

function putFixed64(out: Uint8Array, at: number, n: bigint): number {
  new DataView(out.buffer, out.byteOffset + at, 8).setBigUint64(0, BigInt.asUintN(64, n), true);
  return at + 8;
}

function putBytes(out: Uint8Array, at: number, tag: number, bytes: Uint8Array): number {
  out[at] = tag;
  const p = putVarint(out, at + 1, bytes.length);
  out.set(bytes, p);
  return p + bytes.length;
}

function putColumn(out: Uint8Array, at: number, tag: number, column: ArrayLike<number>, asInt: boolean): number {
  const count = column.length;
  out[at] = tag;
  let p = putVarint(out, at + 1, count * 8);
  for (let from = 0; from < count; from += SCRATCH_POINTS) {
    const n = Math.min(SCRATCH_POINTS, count - from);
    if (asInt) {
      for (let i = 0; i < n; i++) {
        const us = column[from + i] as number;
        const high = Math.floor(us / TWO_32);
        scratch32[2 * i] = us - high * TWO_32;
        scratch32[2 * i + 1] = high;
      }
    } else {
      for (let i = 0; i < n; i++) scratch64[i] = column[from + i] as number;
    }
    // A view is an object, which costs more than what most runs have to copy.
    if (n <= FEW_POINTS) for (let b = 0; b < n * 8; b++) out[p + b] = scratch8[b]!;
    else out.set(n === SCRATCH_POINTS ? scratch8 : scratch8.subarray(0, n * 8), p);
    p += n * 8;
  }
  return p;
}

function metadataSize(position: number, struct: Uint8Array): number {
  return (position > 0 ? 1 + varintSize(position) : 0) + 1 + varintSize(struct.length) + struct.length;
}

function runSize(run: Run): number {
  const bytes = run.values.length * 8;
  const column = 1 + varintSize(bytes) + bytes;
  let size = 1 + varintSize(run.key.length) + run.key.length + column;
  if (run.firstIndex > 0) size += 1 + varintSize(run.firstIndex);
  if (run.times !== undefined) size += column;
  for (const { position, struct } of run.metadata ?? []) {
    const inner = metadataSize(position, struct);
    size += 1 + varintSize(inner) + inner;
  }
  if (run.attributes !== undefined) size += 1 + varintSize(run.attributes.length) + run.attributes.length;
  return size;
}

function putRun(out: Buffer, at: number, run: Run): number {
  out[at] = 0x0a;
  let p = putVarint(out, at + 1, run.key.length);
  // An eighth of the time of a loop.
  p += out.write(run.key, p, "latin1");
  if (run.firstIndex > 0) {
    out[p] = 0x10;
    p = putVarint(out, p + 1, run.firstIndex);
  }
  if (run.times !== undefined) p = putColumn(out, p, 0x1a, run.times, true);
  p = putColumn(out, p, 0x22, run.values, false);
  for (const { position, struct } of run.metadata ?? []) {
    out[p] = 0x2a;
    p = putVarint(out, p + 1, metadataSize(position, struct));
    if (position > 0) {
      out[p] = 0x08;
      p = putVarint(out, p + 1, position);
    }
    p = putBytes(out, p, 0x12, struct);
  }
  return run.attributes === undefined ? p : putBytes(out, p, 0x32, run.attributes);
}

/** A `Fragment` as a field of a LogRecord (tag and length included), ready to be put behind others. */
export function encodeFragment(head: FragmentHead, runs: readonly Run[]): Uint8Array {
  const producer = text.encode(head.producer);
  const traceparent = text.encode(head.traceparent);
  const sizes = runs.map(runSize);
  let size = 0;
  if (producer.length > 0) size += 1 + varintSize(producer.length) + producer.length;
  if (head.epoch !== 0n) size += 9;
  if (head.sequence !== 0n) size += 9;
  if (traceparent.length > 0) size += 1 + varintSize(traceparent.length) + traceparent.length;
  for (const s of sizes) size += 1 + varintSize(s) + s;
  if (head.echo) size += 2;

  // Not of the pool, which would be held as long as the record waits; every byte of it is written.
  const out = Buffer.allocUnsafeSlow(1 + varintSize(size) + size);
  out[0] = 0x1a;
  let p = putVarint(out, 1, size);
  if (producer.length > 0) p = putBytes(out, p, 0x0a, producer);
  if (head.epoch !== 0n) {
    out[p] = 0x11;
    p = putFixed64(out, p + 1, head.epoch);
  }
  if (head.sequence !== 0n) {
    out[p] = 0x19;
    p = putFixed64(out, p + 1, head.sequence);
  }
  if (traceparent.length > 0) p = putBytes(out, p, 0x22, traceparent);
  for (let i = 0; i < runs.length; i++) {
    out[p] = 0x2a;
    p = putVarint(out, p + 1, sizes[i] as number);
    p = putRun(out, p, runs[i] as Run);
  }
  if (head.echo) {
    out[p] = 0x30;
    out[p + 1] = 1;
  }
  return out;
}

/** Version of the record's layout. */
export const RECORD_VERSION = 1;
const HEAD_BYTES = 11;

/** A whole record from encoded fields (`encodeFragment`, `encodeField`). `receivedAtUs`: microseconds since 1970. */
export function encodeRecord(receivedAtUs: number, fields: readonly Uint8Array[]): Uint8Array {
  let size = HEAD_BYTES;
  for (const f of fields) size += f.length;
  const out = new Uint8Array(size);
  out[0] = 0x08;
  out[1] = RECORD_VERSION;
  out[2] = 0x11;
  putFixed64(out, 3, BigInt(receivedAtUs));
  let p = HEAD_BYTES;
  for (const f of fields) {
    out.set(f, p);
    p += f.length;
  }
  return out;
}

/** Any message field of a LogRecord by its number: 4 tick, 5 control. */
export function encodeField(number: number, message: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + varintSize(message.length) + message.length);
  putBytes(out, 0, (number << 3) | 2, message);
  return out;
}
