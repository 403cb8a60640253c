/** Reads protobuf messages of other projects by hand: what is of no use here is skipped without making objects of it. */
import { TelltaleError } from "../../errors.ts";
import { MAX_REQUEST_POINTS, tooMany } from "./limits.ts";

/** Of a message: [from, to). */
export type Place = readonly [from: number, to: number];

const TWO_32 = 4_294_967_296;
const TWO_63 = 2 ** 63;

/**
 * Messages in a request, nested ones included: the smallest takes two bytes and becomes an object of a hundred times as many. A sample
 * is two at most.
 */
const MAX_MESSAGES = 2.5 * MAX_REQUEST_POINTS;
/** Numbers of one repeated field, such as the buckets of a histogram. */
const MAX_REPEATED = 20_000;

/** A position in a message. Every read that goes past the end of the bytes throws TelltaleError "invalid". */
export class WireReader {
  readonly bytes: Buffer;
  readonly #view: DataView;
  #messages = 0;
  at: number;
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = 0;
    this.end = bytes.length;
  }

  /** The next tag; 0 at the end of the message. */
  tag(): number {
    if (this.at >= this.end) return 0;
    const tag = this.varint();
    if (tag < 8 || tag > 0xffff_ffff) throw broken(`a field with the tag ${tag}`);
    return tag;
  }

  /** Of 64 bits, without a sign. Exact to 2^53. */
  varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= this.end) throw broken("a number that is cut short");
      const byte = this.bytes[this.at++]!;
      result += (byte & 127) * scale;
      if (byte < 128) return result;
      scale *= 128;
    }
    throw broken("a number of more than ten bytes");
  }

  /** Of 64 bits, with a sign in two's complement. Exact to 2^53. */
  int64(): number {
    const from = this.at;
    const value = this.varint();
    if (value < TWO_63) return value;
    // Negative: the low bits would be lost in a double.
    const back = this.at;
    this.at = from;
    let inverted = 0;
    let scale = 1;
    for (let i = from; i < back; i++) {
      inverted += (~this.bytes[i]! & (i - from === 9 ? 1 : 127)) * scale;
      scale *= 128;
    }
    this.at = back;
    return -inverted - 1;
  }

  /** Zigzag. Exact to 2^53. */
  sint64(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  double(): number {
    const at = this.#take(8);
    return this.#view.getFloat64(at, true);
  }

  /** The high and the low half of a double's bits. */
  bits(at: number): readonly [number, number] {
    return [this.#view.getUint32(at + 4, true), this.#view.getUint32(at, true)];
  }

  fixed64(): number {
    const at = this.#take(8);
    return this.#view.getUint32(at + 4, true) * TWO_32 + this.#view.getUint32(at, true);
  }

  sfixed64(): number {
    const at = this.#take(8);
    return this.#view.getInt32(at + 4, true) * TWO_32 + this.#view.getUint32(at, true);
  }

  /** Of an int64, with all of its digits. */
  int64Text(): string {
    const from = this.at;
    const value = this.int64();
    if (Number.isSafeInteger(value)) return String(value);
    let exact = 0n;
    for (let i = this.at - 1; i >= from; i--) exact = (exact << 7n) | BigInt(this.bytes[i]! & 127);
    return String(BigInt.asIntN(64, exact));
  }

  /** Nanoseconds to whole microseconds, exactly. */
  nanosAsMicros(): number {
    const at = this.#take(8);
    const high = this.#view.getUint32(at + 4, true);
    const low = this.#view.getUint32(at, true);
    // 2^32 = 4,294,967 × 1,000 + 296
    return high * 4_294_967 + Math.floor((high * 296 + low) / 1_000);
  }

  /** The fixed64 that was just read, once more: exact up to 2^53. */
  fixed64Before(): number {
    return this.#view.getUint32(this.at - 4, true) * 2 ** 32 + this.#view.getUint32(this.at - 8, true);
  }

  /** Goes behind a field of bytes; they end at `at` then. Answers with where they begin. */
  span(): number {
    return this.#take(this.varint());
  }

  text(): string {
    const from = this.span();
    return this.bytes.toString("utf8", from, this.at);
  }

  /** Reads a message within this one: `field` is called with each tag and has to read or skip its value. */
  message(field: (tag: number) => void): void {
    this.inside(this.span(), this.at, field);
  }

  /**
   * The same without a function, for what there is one of for each point: `tag` answers with this message's tags until `leave` is given
   * what this has answered.
   *
   * @param from where the message lies, which is here if nothing is said
   */
  enter(from: number = this.span(), to: number = this.at): number {
    this.#count();
    const { end } = this;
    this.end = to;
    this.at = from;
    return end;
  }

  /** Behind a message whose last tag was read. */
  leave(end: number): void {
    this.end = end;
  }

  /** Where a message lies that is to be read later; goes behind it. */
  place(): Place {
    this.#count();
    return [this.span(), this.at];
  }

  /** The same of a message that lies at [from, to); goes behind it. */
  inside(from: number, to: number, field: (tag: number) => void): void {
    this.#count();
    const end = this.end;
    this.at = from;
    this.end = to;
    for (let tag = this.tag(); tag !== 0; tag = this.tag()) field(tag);
    this.end = end;
  }

  /** Of a repeated number, packed or not. */
  repeated(tag: number, read: () => void): void {
    if ((tag & 7) !== 2) {
      read();
      return;
    }
    const end = this.#enterList();
    for (let count = 0; this.at < this.end; count++) {
      if (count === MAX_REPEATED) throw broken(`a list of more than ${MAX_REPEATED} numbers`);
      read();
    }
    this.leave(end);
  }

  #enterList(): number {
    const from = this.span();
    const { end, at: after } = this;
    if (after - from > MAX_REPEATED * 10) throw broken(`a list of more than ${MAX_REPEATED} numbers`);
    this.at = from;
    this.end = after;
    return end;
  }

  /** Repeated numbers as `varint` reads them. */
  varints(tag: number, into: number[]): void {
    if ((tag & 7) !== 2) {
      into.push(this.varint());
      return;
    }
    const end = this.#enterList();
    for (let count = 0; this.at < this.end; count++) {
      if (count === MAX_REPEATED) throw broken(`a list of more than ${MAX_REPEATED} numbers`);
      into.push(this.varint());
    }
    this.leave(end);
  }

  skip(tag: number): void {
    const type = tag & 7;
    if (type === 0) this.varint();
    else if (type === 1) this.#take(8);
    else if (type === 2) this.span();
    else if (type === 5) this.#take(4);
    else throw broken(`a field of wire type ${type}`);
  }

  #count(): void {
    if (++this.#messages > MAX_MESSAGES) throw tooMany();
  }

  #take(bytes: number): number {
    const at = this.at;
    if (at + bytes > this.end) throw broken("a field that is cut short");
    this.at = at + bytes;
    return at;
  }
}

function broken(what: string): TelltaleError {
  return new TelltaleError("invalid", `the body is no message of its type: it holds ${what}`);
}
