/** The buffers of a column to its values. Whatever a batch says of lengths and places is checked before it is used. */
import { damaged } from "../budget.ts";
import { clocks, decimals, flags, numbers, texts, times, typed, type Values, Vector, wholes } from "../values.ts";
import type { Layout } from "./schema.ts";

/** A column's part of a record batch. */
export interface ColumnPart {
  readonly length: number;
  readonly nullCount: number;
  readonly buffers: readonly Uint8Array[];
}

/** @param dictionary of the values, where the column has their places alone */
export function vectorOf(part: ColumnPart, layout: Layout, dictionary?: Values): Vector {
  const { length, nullCount } = part;
  if (layout.kind === "null") return new Vector(numbers([]), new Int32Array(length).fill(-1));
  const validity = nullCount > 0 ? part.buffers[0]! : undefined;
  if (validity !== undefined && validity.length * 8 < length) throw damaged("a column with too few bits");
  const values = valuesOf(part, layout);
  if (dictionary === undefined) return new Vector(values, validity && placesOf(length, validity, (at) => at));
  const place = (at: number) => {
    const found = values.number(at);
    if (typeof found === "number" && found >= 0 && found < dictionary.length) return found;
    throw damaged("a value that its dictionary does not have");
  };
  return new Vector(dictionary, placesOf(length, validity, place));
}

function placesOf(length: number, validity: Uint8Array | undefined, place: (at: number) => number): Int32Array {
  const places = new Int32Array(length);
  for (let i = 0; i < length; i++) {
    const isValid = validity === undefined || (validity[i >> 3]! >> (i & 7)) & 1;
    places[i] = isValid ? place(i) : -1;
  }
  return places;
}

export function valuesOf({ length, buffers }: ColumnPart, layout: Layout): Values {
  const data = buffers[1]!;
  switch (layout.kind) {
    case "int":
      return intsOf(layout, data, length);
    case "float":
      if (layout.bits === 16) return halves(data, length);
      return numbers(
        layout.bits === 32 ? all(typed(Float32Array, data, length)) : all(typed(Float64Array, data, length)),
      );
    case "decimal":
      return decimalsOf(layout, data, length);
    case "flag":
      if (data.length * 8 < length) throw short();
      return flags(length, (at) => ((data[at >> 3]! >> (at & 7)) & 1) === 1);
    case "text":
      return textsOf(layout.offsetBits, data, buffers[2]!, length);
    case "view":
      return viewsOf(data, buffers.slice(2), length);
    case "time":
      return times(countsOf(layout.bits, data, length), layout.unit, layout.instants);
    case "clock":
      return clocks(countsOf(layout.bits, data, length), layout.unit);
    case "null":
    case "other":
      return numbers([]);
  }
}

function short(): Error {
  return damaged("a column with fewer values than it says");
}

function all<T>(values: T | undefined): T {
  if (values === undefined) throw short();
  return values;
}

function countsOf(bits: 32 | 64, data: Uint8Array, length: number): Int32Array | BigInt64Array {
  return bits === 32 ? all(typed(Int32Array, data, length)) : all(typed(BigInt64Array, data, length));
}

function intsOf({ bits, isSigned }: Layout & { readonly kind: "int" }, data: Uint8Array, length: number): Values {
  if (bits === 64)
    return wholes(isSigned ? all(typed(BigInt64Array, data, length)) : all(typed(BigUint64Array, data, length)));
  const types = { 8: [Uint8Array, Int8Array], 16: [Uint16Array, Int16Array], 32: [Uint32Array, Int32Array] } as const;
  return numbers(all<ArrayLike<number>>(typed<ArrayLike<number>>(types[bits][isSigned ? 1 : 0], data, length)));
}

function halves(data: Uint8Array, length: number): Values {
  if (data.length < length * 2) throw short();
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const number = (at: number) => view.getFloat16(at * 2, true);
  return { length, number, text: (at) => String(number(at)) };
}

function decimalsOf({ bytes, scale }: Layout & { readonly kind: "decimal" }, data: Uint8Array, length: number): Values {
  if (data.length < length * bytes) throw short();
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const unscaled = (at: number) => {
    if (bytes === 4) return BigInt(view.getInt32(at * 4, true));
    // The highest word has the sign.
    let value = view.getBigInt64((at + 1) * bytes - 8, true);
    for (let word = bytes / 8 - 2; word >= 0; word--)
      value = (value << 64n) | view.getBigUint64(at * bytes + word * 8, true);
    return value;
  };
  return decimals(length, unscaled, scale);
}

function textsOf(offsetBits: 32 | 64, offsets: Uint8Array, data: Uint8Array, length: number): Values {
  if (length === 0) return texts(0, () => "");
  const ends =
    offsetBits === 32 ? all(typed(Int32Array, offsets, length + 1)) : all(typed(BigInt64Array, offsets, length + 1));
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  return texts(length, (at) => utf8(bytes, Number(ends[at]), Number(ends[at + 1])));
}

/** Bytes of a view: length, and the text itself where it has at most twelve bytes, else which buffer has it and where. */
const VIEW_BYTES = 16;
const INLINE_BYTES = 12;

function viewsOf(data: Uint8Array, more: readonly Uint8Array[], length: number): Values {
  if (data.length < length * VIEW_BYTES) throw short();
  const views = Buffer.from(data.buffer, data.byteOffset, data.length);
  return texts(length, (at) => {
    const from = at * VIEW_BYTES;
    const size = views.readInt32LE(from);
    if (size <= INLINE_BYTES) return utf8(views, from + 4, from + 4 + size);
    const buffer = more[views.readInt32LE(from + 8)];
    if (buffer === undefined) throw damaged("a text that no buffer has");
    const start = views.readInt32LE(from + 12);
    return utf8(Buffer.from(buffer.buffer, buffer.byteOffset, buffer.length), start, start + size);
  });
}

function utf8(bytes: Buffer, from: number, to: number): string {
  if (!(from >= 0 && from <= to && to <= bytes.length)) throw damaged("a text beyond its bytes");
  return bytes.toString("utf8", from, to);
}
