/** Arrow's schema: which columns there are, of which types, and which buffers each of them has in a record batch. */
import { Date as DateType } from "apache-arrow/fb/date";
import { DateUnit } from "apache-arrow/fb/date-unit";
import { Decimal } from "apache-arrow/fb/decimal";
import { DictionaryKind } from "apache-arrow/fb/dictionary-kind";
import { Endianness } from "apache-arrow/fb/endianness";
import type { Field } from "apache-arrow/fb/field";
import { FloatingPoint } from "apache-arrow/fb/floating-point";
import { Int } from "apache-arrow/fb/int";
import { Precision } from "apache-arrow/fb/precision";
import type { Schema } from "apache-arrow/fb/schema";
import { Time } from "apache-arrow/fb/time";
import { TimeUnit as Unit } from "apache-arrow/fb/time-unit";
import { Timestamp } from "apache-arrow/fb/timestamp";
import { Type } from "apache-arrow/fb/type";
import { Encoding } from "flatbuffers";
import { CsvProblem } from "../../csv/problem.ts";
import { damaged } from "../budget.ts";
import { MAX_COLUMNS, MAX_NAME_BYTES } from "../limits.ts";
import type { ClockUnit, ColumnField, TimeUnit } from "../values.ts";

const MAX_DEPTH = 32;

/** How values lie in buffers. */
export type Layout =
  | { readonly kind: "int"; readonly bits: 8 | 16 | 32 | 64; readonly isSigned: boolean }
  | { readonly kind: "float"; readonly bits: 16 | 32 | 64 }
  | { readonly kind: "decimal"; readonly bytes: number; readonly scale: number }
  | { readonly kind: "flag" | "null" | "view" }
  | { readonly kind: "text"; readonly offsetBits: 32 | 64 }
  | { readonly kind: "time"; readonly bits: 32 | 64; readonly unit: TimeUnit; readonly instants: boolean }
  | { readonly kind: "clock"; readonly bits: 32 | 64; readonly unit: ClockUnit }
  | { readonly kind: "other" };

export interface ArrowField extends ColumnField {
  readonly layout: Layout;
  /** Where the values are elsewhere, and the column has their places. */
  readonly dictionary: Dictionary | undefined;
  /** In a record batch. */
  readonly span: Span;
}

export interface Dictionary {
  readonly id: bigint;
  readonly index: Layout;
  /** In the batch that has the values. */
  readonly span: Span;
}

/** What a column and those within it take of a batch. */
export interface Span {
  readonly nodes: number;
  readonly buffers: number;
  /** Columns of views, which have as many buffers more as each batch says. */
  readonly views: number;
}

/** @throws CsvProblem for what is no schema, or one that is not read */
export function fieldsOf(schema: Schema): ArrowField[] {
  if (schema.endianness() !== Endianness.Little)
    throw new CsvProblem("the file is big-endian: write it little-endian.");
  const length = schema.fieldsLength();
  if (length > MAX_COLUMNS) throw new CsvProblem(`the file has more than ${MAX_COLUMNS} columns.`);
  const count = { left: MAX_COLUMNS };
  return Array.from({ length }, (_, i) => fieldOf(schema.fields(i), 0, count));
}

function fieldOf(field: Field | null, depth: number, count: { left: number }): ArrowField {
  if (field === null) throw damaged("a column without a type");
  if (count.left-- === 0) throw new CsvProblem(`the file has more than ${MAX_COLUMNS} columns.`);
  if (depth > MAX_DEPTH) throw new CsvProblem(`columns are nested more than ${MAX_DEPTH} deep.`);
  const name = nameOf(field);
  const layout = layoutOf(field);
  const type = typeOf(layout, Type[field.typeType()] ?? "of an unknown type");
  const span = spanOf(field, depth, count);
  const encoding = field.dictionary();
  if (encoding === null) return { name, type, layout, dictionary: undefined, span };
  if (encoding.dictionaryKind() !== DictionaryKind.DenseArray) throw damaged("a dictionary of an unknown kind");
  const int = encoding.indexType();
  const index = int === null ? ({ kind: "int", bits: 32, isSigned: true } as const) : intOf(int);
  return { name, type, layout, dictionary: { id: encoding.id(), index, span }, span: PLACES };
}

const PLACES: Span = { nodes: 1, buffers: 2, views: 0 };

function spanOf(field: Field, depth: number, count: { left: number }): Span {
  const length = field.childrenLength();
  if (length > MAX_COLUMNS) throw new CsvProblem(`the file has more than ${MAX_COLUMNS} columns.`);
  const children = Array.from({ length }, (_, i) => fieldOf(field.children(i), depth + 1, count).span);
  const sum = (of: keyof Span) => children.reduce((all, child) => all + child[of], 0);
  const isView = field.typeType() === Type.Utf8View || field.typeType() === Type.BinaryView;
  return {
    nodes: 1 + sum("nodes"),
    buffers: buffersOf(field) + sum("buffers"),
    views: (isView ? 1 : 0) + sum("views"),
  };
}

function nameOf(field: Field): string {
  const bytes = field.name(Encoding.UTF8_BYTES);
  if (bytes === null) return "";
  if (bytes.length > MAX_NAME_BYTES) throw new CsvProblem(`a column has a name of ${bytes.length} bytes.`);
  return Buffer.from(bytes as Uint8Array).toString("utf8");
}

function typeOf(layout: Layout, name: string): ColumnField["type"] {
  switch (layout.kind) {
    case "int":
    case "float":
    case "decimal":
      return { kind: "number" };
    case "text":
    case "view":
      return { kind: "text" };
    case "time":
      return { kind: "time", instants: layout.instants };
    case "flag":
    case "clock":
      return { kind: layout.kind };
    case "null":
      return { kind: "text" };
    case "other":
      return { kind: "other", name };
  }
}

function layoutOf(field: Field): Layout {
  switch (field.typeType()) {
    case Type.Null:
      return { kind: "null" };
    case Type.Int:
      return intOf(detailsOf(field, new Int()));
    case Type.FloatingPoint: {
      const precision = detailsOf(field, new FloatingPoint()).precision();
      return { kind: "float", bits: precision === Precision.HALF ? 16 : precision === Precision.SINGLE ? 32 : 64 };
    }
    case Type.Bool:
      return { kind: "flag" };
    case Type.Decimal: {
      const decimal = detailsOf(field, new Decimal());
      const bytes = decimal.bitWidth() / 8;
      if (![4, 8, 16, 32].includes(bytes) || Math.abs(decimal.scale()) > 1_000)
        throw damaged("a decimal of no known size");
      return { kind: "decimal", bytes, scale: decimal.scale() };
    }
    case Type.Utf8:
      return { kind: "text", offsetBits: 32 };
    case Type.LargeUtf8:
      return { kind: "text", offsetBits: 64 };
    case Type.Utf8View:
      return { kind: "view" };
    case Type.Date: {
      const isDays = detailsOf(field, new DateType()).unit() === DateUnit.DAY;
      return { kind: "time", bits: isDays ? 32 : 64, unit: isDays ? "day" : "day_ms", instants: false };
    }
    case Type.Time: {
      const time = detailsOf(field, new Time());
      return { kind: "clock", bits: time.bitWidth() === 64 ? 64 : 32, unit: unitOf(time.unit()) };
    }
    case Type.Timestamp: {
      const timestamp = detailsOf(field, new Timestamp());
      return {
        kind: "time",
        bits: 64,
        unit: unitOf(timestamp.unit()),
        instants: (timestamp.timezone(Encoding.UTF8_BYTES)?.length ?? 0) > 0,
      };
    }
    default:
      return { kind: "other" };
  }
}

function detailsOf<T>(field: Field, into: T): T {
  const details: T | null = field.type(into);
  if (details === null) throw damaged("a column without its type");
  return details;
}

function intOf(int: Int): Layout & { readonly kind: "int" } {
  const bits = int.bitWidth();
  if (bits !== 8 && bits !== 16 && bits !== 32 && bits !== 64) throw damaged("an integer of no known size");
  return { kind: "int", bits, isSigned: int.isSigned() };
}

function unitOf(unit: Unit): ClockUnit {
  const units = {
    [Unit.SECOND]: "s",
    [Unit.MILLISECOND]: "ms",
    [Unit.MICROSECOND]: "us",
    [Unit.NANOSECOND]: "ns",
  } as const;
  const known = units[unit];
  if (known === undefined) throw damaged("a time of no known unit");
  return known;
}

/** Buffers of a column's own: most have a bitmap of what is missing, and values. */
function buffersOf(field: Field): number {
  switch (field.typeType()) {
    case Type.Null:
    case Type.RunEndEncoded:
      return 0;
    case Type.FixedSizeList:
    case Type.Struct_:
      return 1;
    case Type.Binary:
    case Type.LargeBinary:
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.ListView:
    case Type.LargeListView:
      return 3;
    case Type.Union:
      throw new CsvProblem(
        `the column ${JSON.stringify(field.name() ?? "")} is a union, which is not read: leave it out.`,
      );
    default:
      return 2;
  }
}
