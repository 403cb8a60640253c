/**
 * Hand-made decoder of `telltale.v1.LogRecord`. Series columns are not copied: a `LoggedRun` says where they lie in the record.
 */
import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import type { Attributes } from "../../../formats/attributes.ts";
import { MAX_TIME_US } from "../../../formats/time.ts";
import { type Control, ControlSchema, SensorAttributesSchema } from "../../../gen/es/telltale/v1/log_pb.ts";
import { RECORD_VERSION } from "./encode.ts";

export interface LoggedRun {
  /** The bytes of the SeriesKey, one character each: the key of a table. */
  readonly key: string;
  readonly firstIndex: number;
  readonly count: number;
  /** Byte position of the times column in the record, -1 where the sender gave no time. */
  readonly timesAt: number;
  /** Byte position of the values column in the record. */
  readonly valuesAt: number;
  /** Struct messages in binary form by position in the run. */
  readonly metadata: ReadonlyMap<number, Uint8Array> | undefined;
  /** Of the sensor from the run's first reading on, where the run brings any. */
  readonly attributes: Attributes | undefined;
}

export interface LoggedFragment {
  readonly producer: string;
  readonly epoch: bigint;
  readonly sequence: number;
  readonly traceparent: string;
  readonly echo: boolean;
  readonly runs: readonly LoggedRun[];
  /** Readings in all runs. */
  readonly readings: number;
}

export interface LoggedRecord {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly receivedAtUs: number;
  readonly fragments: readonly LoggedFragment[];
  readonly tick: boolean;
  readonly controls: readonly Control[];
  /** Readings in all fragments. */
  readonly readings: number;
}

const TWO_32 = 4294967296;

class Cursor {
  at: number;
  readonly bytes: Buffer;
  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }
  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError("log record is cut short");
      result += (byte & 127) * scale;
      if (byte < 128) return result;
      scale *= 128;
    }
    throw new RangeError("log record has a broken varint");
  }
  /** Skips a length-delimited field and answers with its bounds by [start, end). */
  span(): number {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    if (this.at > this.bytes.length) throw new RangeError("log record is cut short");
    return start;
  }
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        this.at += 8;
        return;
      case 2:
        this.span();
        return;
      case 5:
        this.at += 4;
        return;
      default:
        throw new RangeError(`log record has wire type ${tag & 7}`);
    }
  }
}

export function readInt64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

function decodeMetadata(bytes: Buffer, start: number, end: number): [number, Uint8Array] {
  const c = new Cursor(bytes, start);
  let position = 0;
  let struct = new Uint8Array();
  while (c.at < end) {
    const tag = c.varint();
    if (tag === 0x08) position = c.varint();
    else if (tag === 0x12) struct = new Uint8Array(bytes.subarray(c.span(), c.at));
    else c.skip(tag);
  }
  return [position, struct];
}

/** Nothing is stored under a time that no client could ask for, and the partition's time never goes back from one. */
function checkTime(us: number): void {
  if (!(us >= 0 && us <= MAX_TIME_US))
    throw new RangeError(`log record has a time of ${us} µs, which is not from 1970 to 9999`);
}

function decodeRun(bytes: Buffer, view: DataView, start: number, end: number): LoggedRun {
  const c = new Cursor(bytes, start);
  let key = "";
  let firstIndex = 0;
  let timesAt = -1;
  let timesEnd = -1;
  let valuesAt = start;
  let valuesEnd = start;
  let metadata: Map<number, Uint8Array> | undefined;
  let attributes: Attributes | undefined;
  while (c.at < end) {
    const tag = c.varint();
    if (tag === 0x0a) {
      const from = c.span();
      key = bytes.toString("latin1", from, c.at);
    } else if (tag === 0x10) firstIndex = c.varint();
    else if (tag === 0x1a) {
      timesAt = c.span();
      timesEnd = c.at;
    } else if (tag === 0x22) {
      valuesAt = c.span();
      valuesEnd = c.at;
    } else if (tag === 0x2a) {
      const from = c.span();
      metadata ??= new Map();
      metadata.set(...decodeMetadata(bytes, from, c.at));
    } else if (tag === 0x32) {
      const from = c.span();
      attributes = decodeMessage(SensorAttributesSchema, bytes.subarray(from, c.at)).attributes;
    } else c.skip(tag);
  }
  const count = (valuesEnd - valuesAt) >> 3;
  if (timesAt >= 0 && timesEnd - timesAt !== valuesEnd - valuesAt)
    throw new RangeError("log record has unequal columns");
  for (let at = timesAt; at < timesEnd; at += 8) checkTime(readInt64(view, at));
  return { key, firstIndex, count, timesAt, valuesAt, metadata, attributes };
}

function decodeFragment(bytes: Buffer, view: DataView, start: number, end: number): LoggedFragment {
  const c = new Cursor(bytes, start);
  let producer = "";
  let epoch = 0n;
  let sequence = 0;
  let traceparent = "";
  let echo = false;
  let readings = 0;
  const runs: LoggedRun[] = [];
  while (c.at < end) {
    const tag = c.varint();
    if (tag === 0x2a) {
      const from = c.span();
      const run = decodeRun(bytes, view, from, c.at);
      runs.push(run);
      readings += run.count;
    } else if (tag === 0x0a) {
      const from = c.span();
      producer = bytes.toString("utf8", from, c.at);
    } else if (tag === 0x11) {
      epoch = view.getBigUint64(c.at, true);
      c.at += 8;
    } else if (tag === 0x19) {
      sequence = readInt64(view, c.at);
      c.at += 8;
    } else if (tag === 0x22) {
      const from = c.span();
      traceparent = bytes.toString("utf8", from, c.at);
    } else if (tag === 0x30) echo = c.varint() === 1;
    else c.skip(tag);
  }
  return { producer, epoch, sequence, traceparent, echo, runs, readings };
}

function decodeMessage<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch (error) {
    throw new RangeError(`log record holds a ${desc.name} that cannot be read`, { cause: error });
  }
}

/** A larger number is no version of a record but the bytes of something else. */
const LAST_THINKABLE_VERSION = 64;

/** A newer program wrote the record: this one must not go past it. */
export class NewerRecordError extends RangeError {
  constructor(version: number) {
    super(`log record has layout ${version}, this program reads ${RECORD_VERSION}: run the newer program`);
    this.name = "NewerRecordError";
  }
}

/** A record without anything in it, in place of one that is set aside. */
export function emptyRecord(bytes: Uint8Array, receivedAtUs: number): LoggedRecord {
  const b = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { bytes: b, view, receivedAtUs, fragments: [], tick: false, controls: [], readings: 0 };
}

/** Throws RangeError where the bytes are no record, and NewerRecordError where they are one of a later layout. */
export function decodeRecord(input: Uint8Array): LoggedRecord {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  const c = new Cursor(bytes, 0);
  let version = 0;
  let receivedAtUs = 0;
  let tick = false;
  let readings = 0;
  const fragments: LoggedFragment[] = [];
  const controls: Control[] = [];
  while (c.at < bytes.length) {
    const tag = c.varint();
    if (tag === 0x08) {
      version = c.varint();
      if (version > RECORD_VERSION && version <= LAST_THINKABLE_VERSION) throw new NewerRecordError(version);
    } else if (tag === 0x11) {
      receivedAtUs = readInt64(view, c.at);
      checkTime(receivedAtUs);
      c.at += 8;
    } else if (tag === 0x1a) {
      const from = c.span();
      const fragment = decodeFragment(bytes, view, from, c.at);
      fragments.push(fragment);
      readings += fragment.readings;
    } else if (tag === 0x22) {
      c.span();
      tick = true;
    } else if (tag === 0x2a) {
      const from = c.span();
      controls.push(decodeMessage(ControlSchema, bytes.subarray(from, c.at)));
    } else c.skip(tag);
  }
  if (version !== RECORD_VERSION) {
    throw new RangeError(`log record has layout ${version}, this program reads ${RECORD_VERSION}`);
  }
  return { bytes, view, receivedAtUs, fragments, tick, controls, readings };
}
