/** Thrift's compact protocol, as Parquet's footer and page headers have it: what is of no use is skipped without making objects of it. */
import { damaged } from "../budget.ts";

export const TRUE = 1;
const FALSE = 2;
const [I8, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT] = [3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const MAX_DEPTH = 32;

export class ThriftReader {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.at = at;
  }

  /** Reads a struct: `field` is called with each of its fields; what it does not read, and answers with false, is skipped. */
  struct(field: (id: number, type: number) => boolean): void {
    let id = 0;
    for (;;) {
      const header = this.#byte();
      const type = header & 15;
      if (type === 0) return;
      id = header >> 4 === 0 ? this.int() : id + (header >> 4);
      if (!field(id, type)) this.#skip(type, 0);
    }
  }

  /** Reads a list: `element` has to read each of its elements. */
  list(element: (index: number) => void): void {
    const { size } = this.#listHeader();
    for (let i = 0; i < size; i++) element(i);
  }

  /** Of any width up to 64 bits. Exact to 2^53. */
  int(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  binary(): Buffer {
    const size = this.#varint();
    const from = this.at;
    if (from + size > this.bytes.length) throw cut();
    this.at += size;
    return this.bytes.subarray(from, this.at);
  }

  skipStruct(): void {
    this.#skip(STRUCT, 0);
  }

  #listHeader(): { readonly size: number; readonly type: number } {
    const header = this.#byte();
    const size = header >> 4 === 15 ? this.#varint() : header >> 4;
    // Each element takes a byte at least.
    if (size > this.bytes.length - this.at) throw cut();
    return { size, type: header & 15 };
  }

  #varint(): number {
    let result = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte();
      result += (byte & 127) * scale;
      if (byte < 128) return result;
      scale *= 128;
    }
    throw damaged("a number of more than ten bytes");
  }

  #byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw cut();
    return byte;
  }

  #skip(type: number, depth: number): void {
    if (depth > MAX_DEPTH) throw damaged("metadata that is nested too deep");
    switch (type) {
      case TRUE:
      case FALSE:
        return;
      case I8:
        this.at++;
        return;
      case I16:
      case I32:
      case I64:
        this.#varint();
        return;
      case DOUBLE:
        this.at += 8;
        return;
      case BINARY:
        this.binary();
        return;
      case LIST:
      case SET:
        this.#skipList(depth);
        return;
      case STRUCT:
        for (;;) {
          const header = this.#byte();
          if ((header & 15) === 0) return;
          if (header >> 4 === 0) this.int();
          this.#skip(header & 15, depth + 1);
        }
      case MAP:
        if (this.#varint() === 0) return;
        throw damaged("metadata with a map");
      default:
        throw damaged(`metadata of the type ${type}`);
    }
  }

  #skipList(depth: number): void {
    const { size, type } = this.#listHeader();
    // Within a list, a truth value has a byte of its own.
    const element = type === TRUE || type === FALSE ? I8! : type;
    for (let i = 0; i < size; i++) this.#skip(element, depth + 1);
  }
}

/** What is read needs more bytes than there are: of a header that is longer than what was loaded of it, more are to be had. */
export class CutShort extends Error {}

function cut(): CutShort {
  return new CutShort("metadata is cut short");
}
