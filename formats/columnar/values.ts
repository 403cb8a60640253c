/** Columns of a table as they are read: values by their type, and which of them each row has. */
import { instantText } from "../time.ts";

/** What a column holds, whichever format it comes from. */
export type ColumnType =
  | { readonly kind: "number" | "text" | "flag" | "clock" }
  /** `instants` names its zone, or is UTC; else it is what clocks show. */
  | { readonly kind: "time"; readonly instants: boolean }
  /** Not read: nested, binary, or a type that is no measurement. */
  | { readonly kind: "other"; readonly name: string };

export interface ColumnField {
  readonly name: string;
  readonly type: ColumnType;
}

/** Values of a column, by their places in its memory. */
export interface Values {
  readonly length: number;
  /** The number; of a time microseconds since 1970, of a text NaN. Or why a double does not hold it. */
  number(at: number): number | string;
  text(at: number): string;
}

/** Some rows of a column. */
export class Vector {
  readonly #values: Values;
  readonly #places: Int32Array | undefined;
  readonly #start: number;

  /** @param places of the rows' values, -1 for none; without them each row has its own @param start the first row's */
  constructor(values: Values, places: Int32Array | undefined, start = 0) {
    this.#values = values;
    this.#places = places;
    this.#start = start;
  }

  from(start: number): Vector {
    return new Vector(this.#values, this.#places, this.#start + start);
  }

  #at(row: number): number {
    return this.#places === undefined ? this.#start + row : this.#places[this.#start + row]!;
  }

  isMissing(row: number): boolean {
    return this.#at(row) < 0;
  }

  number(row: number): number | string {
    return this.#values.number(this.#at(row));
  }

  /** Empty where there is none. */
  text(row: number): string {
    const at = this.#at(row);
    return at < 0 ? "" : this.#values.text(at);
  }
}

/** Rows that have the same columns in memory. */
export interface Rows {
  readonly count: number;
  /** By their numbers in the table; undefined where a column is not read. */
  readonly columns: readonly (Vector | undefined)[];
}

/** A table that is read from its beginning to its end. */
export interface ColumnarFile {
  readonly format: string;
  readonly fields: readonly ColumnField[];
  /** In the order of the file. The columns of what came before are not valid any more. */
  rows(): AsyncGenerator<Rows>;
  /** From the next rows on that are loaded, only these columns are read. */
  only(columns: ReadonlySet<number>): void;
}

type Numbers = ArrayLike<number>;
type Wholes = BigInt64Array | BigUint64Array;

export function numbers(values: Numbers): Values {
  return { length: values.length, number: (at) => values[at]!, text: (at) => String(values[at]) };
}

/** Integers of 64 bits. A double holds them to 2^53, and beyond only some of them. */
export function wholes(values: Wholes): Values {
  const number = (at: number) => {
    const value = values[at]!;
    const double = Number(value);
    if (Math.abs(double) <= Number.MAX_SAFE_INTEGER || BigInt(double) === value) return double;
    return `${value}, an integer that a number of double precision does not hold exactly; convert the column to double where rounding is meant`;
  };
  return { length: values.length, number, text: (at) => String(values[at]) };
}

/** @param unscaled gives the digits of a value as an integer @param scale how many of them are behind the decimal point */
export function decimals(length: number, unscaled: (at: number) => bigint, scale: number): Values {
  const text = (at: number) => decimalText(unscaled(at), scale);
  // The nearest double, as of the same digits in a CSV.
  return { length, number: (at) => Number(text(at)), text };
}

function decimalText(value: bigint, scale: number): string {
  if (scale <= 0) return `${value}${"0".repeat(-scale)}`;
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

export function flags(length: number, flag: (at: number) => boolean): Values {
  return { length, number: () => Number.NaN, text: (at) => String(flag(at)) };
}

/** @param text of a value; each is made when it is asked for, and the last is kept: neighbours are alike */
export function texts(length: number, text: (at: number) => string): Values {
  let lastAt = -1;
  let last = "";
  const cached = (at: number) => {
    if (at !== lastAt) {
      last = text(at);
      lastAt = at;
    }
    return last;
  };
  return { length, number: () => Number.NaN, text: cached };
}

export type ClockUnit = "s" | "ms" | "us" | "ns";
/** "day_ms" counts milliseconds, and is a day like "day". */
export type TimeUnit = ClockUnit | "day" | "day_ms";

const MICROS: Readonly<Record<Exclude<TimeUnit, "ns">, number>> = {
  ...{ s: 1e6, ms: 1e3, us: 1 },
  ...{ day: 86_400e6, day_ms: 1e3 },
};
const DATE_CHARACTERS = "2026-01-05".length;

/** Times as counts since 1970, cut to whole microseconds. */
export function times(counts: Numbers | Wholes, unit: TimeUnit, instants: boolean): Values {
  const us = microsOf(counts, unit);
  // A time of day may stand beside a date, in another column.
  const end = unit === "day" || unit === "day_ms" ? DATE_CHARACTERS : undefined;
  const text = (at: number) => timeText(us(at), instants).slice(0, end);
  return { length: counts.length, number: us, text };
}

function microsOf(counts: Numbers | Wholes, unit: TimeUnit): (at: number) => number {
  if (unit !== "ns") {
    const factor = MICROS[unit];
    return (at) => Number(counts[at]) * factor;
  }
  return (at) => nanosToMicros(BigInt(counts[at]!));
}

export function nanosToMicros(nanos: bigint): number {
  const micros = nanos / 1_000n;
  return Number(nanos < 0n && micros * 1_000n !== nanos ? micros - 1n : micros);
}

/** The first and the last microsecond that a date of JavaScript has. */
const MAX_DATE_US = 8.64e18;

/** A time that microseconds name: with Z where it is an instant. */
export function timeText(us: number, instants: boolean): string {
  if (Math.abs(us) > MAX_DATE_US) return `${us} µs since 1970`;
  const text = instantText(us);
  return instants ? text : text.slice(0, -1);
}

/** Times of a day without a date. */
export function clocks(counts: Numbers | Wholes, unit: ClockUnit): Values {
  const us = microsOf(counts, unit);
  const text = (at: number) => (us(at) >= 0 && us(at) < 86_400e6 ? timeText(us(at), false).slice(11) : String(us(at)));
  return { length: counts.length, number: () => Number.NaN, text };
}

/** A view of bytes as numbers of a type, copied where they are not aligned. Undefined where there are fewer bytes. */
export function typed<T>(
  type: { new (buffer: ArrayBuffer, at: number, length: number): T; readonly BYTES_PER_ELEMENT: number },
  bytes: Uint8Array,
  length: number,
): T | undefined {
  const size = length * type.BYTES_PER_ELEMENT;
  if (!(size >= 0) || size > bytes.length) return undefined;
  if (bytes.byteOffset % type.BYTES_PER_ELEMENT === 0)
    return new type(bytes.buffer as ArrayBuffer, bytes.byteOffset, length);
  return new type(Uint8Array.from(bytes.subarray(0, size)).buffer, 0, length);
}
