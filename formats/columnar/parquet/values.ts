/** The values of Parquet's types. */
import {
  clocks,
  decimals,
  flags,
  nanosToMicros,
  numbers,
  texts,
  times,
  timeText,
  type Values,
  wholes,
} from "../values.ts";
import type { Raw } from "./encodings.ts";
import type { ParquetField } from "./footer.ts";

export function valuesOf(raw: Raw, { meaning, physical }: ParquetField): Values {
  switch (raw.kind) {
    case "flags":
      return flags(raw.values.length, (at) => raw.values[at] === 1);
    case "bytes":
      return physical === "int96" ? int96(raw) : bytesOf(raw, meaning);
    case "numbers":
    case "wholes": {
      const { values } = raw;
      if (meaning.kind === "time") return times(values, meaning.unit, meaning.instants);
      if (meaning.kind === "clock") return clocks(values, meaning.unit);
      if (meaning.kind === "decimal") return decimals(values.length, (at) => BigInt(values[at]!), meaning.scale);
      if (raw.kind === "wholes") return wholes(meaning.kind === "unsigned" ? unsigned64(raw.values) : raw.values);
      return numbers(meaning.kind === "unsigned" ? unsigned32(raw.values) : raw.values);
    }
  }
}

function unsigned64({ buffer, byteOffset, length }: BigInt64Array): BigUint64Array {
  return new BigUint64Array(buffer, byteOffset, length);
}

function unsigned32({ buffer, byteOffset, length }: Int32Array | Float32Array | Float64Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, length);
}

type Bytes = Raw & { readonly kind: "bytes" };

function bytesOf({ bytes, from, to }: Bytes, meaning: ParquetField["meaning"]): Values {
  const { length } = from;
  if (meaning.kind === "decimal") return decimals(length, (at) => bigEndian(bytes, from[at]!, to[at]!), meaning.scale);
  if (meaning.kind === "half") {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const number = (at: number) => view.getFloat16(from[at]!, true);
    return { length, number, text: (at) => String(number(at)) };
  }
  if (meaning.kind === "uuid")
    return texts(length, (at) =>
      bytes.toString("hex", from[at], to[at]).replace(/^(.{8})(.{4})(.{4})(.{4})(.+)$/, "$1-$2-$3-$4-$5"),
    );
  return texts(length, (at) => bytes.toString("utf8", from[at], to[at]));
}

/** In two's complement. */
function bigEndian(bytes: Buffer, from: number, to: number): bigint {
  if (from === to) return 0n;
  return BigInt.asIntN((to - from) * 8, BigInt(`0x${bytes.toString("hex", from, to)}`));
}

/** The day of the Julian calendar on which 1970 begins. */
const JULIAN_1970 = 2_440_588;

/** Nanoseconds of a day, and the day. */
function int96({ bytes, from }: Bytes): Values {
  const us = (at: number) => {
    const start = from[at]!;
    const days = bytes.readUInt32LE(start + 8) - JULIAN_1970;
    return days * 86_400e6 + nanosToMicros(bytes.readBigInt64LE(start));
  };
  return { length: from.length, number: us, text: (at) => timeText(us(at), false) };
}
