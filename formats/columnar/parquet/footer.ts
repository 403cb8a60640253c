/** What a Parquet file says of itself at its end: its columns, and where their values are in each row group. */
import { CsvProblem } from "../../csv/problem.ts";
import { type Budget, damaged } from "../budget.ts";
import { MAX_COLUMNS, MAX_FOOTER_BYTES, MAX_NAME_BYTES } from "../limits.ts";
import type { RandomAccess } from "../random-access.ts";
import { checkFormat, PARQUET_MAGIC, RECOGNISED_BYTES } from "../recognise.ts";
import type { ClockUnit, ColumnField, ColumnType, TimeUnit } from "../values.ts";
import { CutShort, ThriftReader, TRUE } from "./thrift.ts";

const ENCRYPTED_MAGIC = "PARE";
/** Footer length and magic. */
const TAIL_BYTES = 8;

const PHYSICAL = ["boolean", "int32", "int64", "int96", "float", "double", "bytes", "fixed"] as const;
export type Physical = (typeof PHYSICAL)[number];

/** What the numbers and bytes of a column mean. */
export type Meaning =
  | { readonly kind: "plain" | "unsigned" | "text" | "uuid" | "half" }
  | { readonly kind: "decimal"; readonly scale: number }
  | { readonly kind: "time"; readonly unit: TimeUnit; readonly instants: boolean }
  | { readonly kind: "clock"; readonly unit: ClockUnit }
  | { readonly kind: "other"; readonly name: string };

export interface ParquetField extends ColumnField {
  /** Number of its chunk in each row group; -1 where it is nested, and not read. */
  readonly chunk: number;
  readonly physical: Physical;
  /** Bytes of each value, where they are fixed. */
  readonly width: number;
  readonly meaning: Meaning;
  readonly isOptional: boolean;
}

/** The values of a column in a row group. */
export interface Chunk {
  readonly codec: number;
  readonly from: number;
  readonly to: number;
}

export interface RowGroup {
  readonly rows: number;
  readonly chunks: readonly Chunk[];
}

/** Row groups are made of the footer's bytes when they are read: there may be many. */
export interface Footer {
  readonly fields: readonly ParquetField[];
  rowGroups(): Generator<RowGroup>;
}

/** @throws CsvProblem where there is none, or none that is read */
export async function readFooter(file: RandomAccess, budget: Budget): Promise<Footer> {
  checkFormat(await file.read(0, Math.min(file.size, RECOGNISED_BYTES)), "parquet");
  if (file.size < TAIL_BYTES + PARQUET_MAGIC.length) throw damaged("no footer");
  const tail = await file.read(file.size - TAIL_BYTES, TAIL_BYTES);
  const magic = tail.toString("latin1", 4);
  if (magic === ENCRYPTED_MAGIC) throw new CsvProblem("the file is encrypted.");
  if (magic !== PARQUET_MAGIC) throw damaged("no footer");
  const length = tail.readUInt32LE(0);
  const end = file.size - TAIL_BYTES;
  if (length > end - PARQUET_MAGIC.length) throw damaged("a footer that is larger than the file");
  if (length > MAX_FOOTER_BYTES)
    throw new CsvProblem(`its footer has ${length} bytes: write it with fewer row groups, or as several files.`);
  budget.hold(length);
  return parseFooter(await file.read(end - length, length), end - length);
}

function parseFooter(bytes: Buffer, dataEnd: number): Footer {
  const reader = new ThriftReader(bytes);
  const elements: SchemaElement[] = [];
  let groupsAt = -1;
  whole(() =>
    reader.struct((id) => {
      if (id === 2) reader.list(() => addElement(elements, reader));
      else if (id === 4) {
        groupsAt = reader.at;
        reader.list(() => reader.skipStruct());
      } else if (id === 8) throw new CsvProblem("the file is encrypted.");
      else return false;
      return true;
    }),
  );
  if (groupsAt < 0) throw damaged("a footer without row groups");
  const fields = fieldsOf(elements);
  return { fields, rowGroups: () => rowGroupsOf(new ThriftReader(bytes, groupsAt), dataEnd) };
}

function whole<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof CutShort) throw damaged("metadata that is cut short");
    throw error;
  }
}

function* rowGroupsOf(reader: ThriftReader, dataEnd: number): Generator<RowGroup> {
  const starts: number[] = [];
  reader.list(() => {
    starts.push(reader.at);
    reader.skipStruct();
  });
  // Each byte is of one column at most: a small file would else be read as a large one.
  let left = dataEnd;
  for (const at of starts) {
    const group = whole(() => rowGroupOf(new ThriftReader(reader.bytes, at), dataEnd));
    for (const { from, to } of group.chunks) left -= to - from;
    if (left < 0) throw damaged("columns that lie in the same bytes");
    yield group;
  }
}

function rowGroupOf(reader: ThriftReader, dataEnd: number): RowGroup {
  const chunks: Chunk[] = [];
  let rows = -1;
  reader.struct((id) => {
    if (id === 1) {
      reader.list(() => {
        if (chunks.length === MAX_COLUMNS) throw damaged("a row group of too many columns");
        chunks.push(chunkOf(reader, dataEnd));
      });
    } else if (id === 3) rows = reader.int();
    else return false;
    return true;
  });
  if (rows < 0) throw damaged("a row group without a number of rows");
  return { rows, chunks };
}

function chunkOf(reader: ThriftReader, dataEnd: number): Chunk {
  const found = { codec: 0, size: -1, data: -1, dictionary: 0 };
  let isElsewhere = false;
  const names = { 4: "codec", 7: "size", 9: "data", 11: "dictionary" } as const;
  reader.struct((id) => {
    if (id === 1) isElsewhere = reader.binary().length > 0;
    else if (id === 3)
      reader.struct((inner) => {
        const name = names[inner as keyof typeof names];
        if (name === undefined) return false;
        found[name] = reader.int();
        return true;
      });
    else return false;
    return true;
  });
  if (isElsewhere) throw new CsvProblem("the values are in another file, of which this one is the index.");
  const { codec, size, data, dictionary } = found;
  const from = dictionary > 0 && dictionary < data ? dictionary : data;
  if (from < 0 || size < 0 || from + size > dataEnd) throw damaged("a column beyond the end of the file");
  return { codec, from, to: from + size };
}

interface SchemaElement {
  readonly name: string;
  readonly physical: Physical | undefined;
  readonly width: number;
  readonly repetition: number;
  readonly children: number;
  readonly converted: number | undefined;
  readonly scale: number;
  readonly logical: Meaning | undefined;
}

const [REQUIRED, REPEATED] = [0, 2];

function addElement(elements: SchemaElement[], reader: ThriftReader): void {
  if (elements.length === MAX_COLUMNS) throw new CsvProblem(`the schema has more than ${MAX_COLUMNS} columns.`);
  let name = "";
  let logical: Meaning | undefined;
  const found: Record<number, number> = {};
  reader.struct((id) => {
    if (id === 4) {
      const bytes = reader.binary();
      if (bytes.length > MAX_NAME_BYTES) throw new CsvProblem(`a column has a name of ${bytes.length} bytes.`);
      name = bytes.toString("utf8");
    } else if (id === 10) logical = logicalOf(reader);
    else if (id <= 8) found[id] = reader.int();
    else return false;
    return true;
  });
  elements.push({
    name,
    physical: PHYSICAL[found[1] ?? -1],
    width: found[2] ?? 0,
    repetition: found[3] ?? REQUIRED!,
    children: found[5] ?? 0,
    converted: found[6],
    scale: found[7] ?? 0,
    logical,
  });
}

const UNITS: Readonly<Record<number, "ms" | "us" | "ns">> = { 1: "ms", 2: "us", 3: "ns" };

/** The members of Parquet's LogicalType, by their numbers; undefined for those that say nothing of values that are read. */
function logicalOf(reader: ThriftReader): Meaning | undefined {
  let meaning: Meaning | undefined;
  reader.struct((id) => {
    if (id === 1 || id === 4) meaning = { kind: "text" };
    else if (id === 6) meaning = { kind: "time", unit: "day", instants: false };
    else if (id === 14) meaning = { kind: "uuid" };
    else if (id === 15) meaning = { kind: "half" };
    else if (id === 5) meaning = { kind: "decimal", scale: scaleOf(reader) };
    else if (id === 7 || id === 8) meaning = timeOf(reader, id === 7);
    else if (id === 10) meaning = { kind: isSigned(reader) ? "plain" : "unsigned" };
    // What these have read, the others leave to be skipped.
    return id === 5 || id === 7 || id === 8 || id === 10;
  });
  return meaning;
}

function scaleOf(reader: ThriftReader): number {
  let scale = 0;
  reader.struct((id) => {
    if (id === 1) scale = reader.int();
    return id === 1;
  });
  return scale;
}

function isSigned(reader: ThriftReader): boolean {
  let signed = true;
  reader.struct((id, type) => {
    if (id === 2) signed = type === TRUE;
    return false;
  });
  return signed;
}

function timeOf(reader: ThriftReader, isClock: boolean): Meaning {
  let instants = false;
  let unit: "ms" | "us" | "ns" | undefined;
  reader.struct((id, type) => {
    if (id === 1) instants = type === TRUE;
    if (id !== 2) return false;
    reader.struct((which) => {
      unit = UNITS[which];
      return false;
    });
    return true;
  });
  if (unit === undefined) throw damaged("a time of no known unit");
  return isClock ? { kind: "clock", unit } : { kind: "time", unit, instants };
}

/** The members of ConvertedType, which older writers have in the place of the logical type. */
const CONVERTED: Readonly<Record<number, Meaning>> = {
  0: { kind: "text" },
  4: { kind: "text" },
  6: { kind: "time", unit: "day", instants: false },
  7: { kind: "clock", unit: "ms" },
  8: { kind: "clock", unit: "us" },
  9: { kind: "time", unit: "ms", instants: true },
  10: { kind: "time", unit: "us", instants: true },
  11: { kind: "unsigned" },
  12: { kind: "unsigned" },
  13: { kind: "unsigned" },
  14: { kind: "unsigned" },
};
const CONVERTED_DECIMAL = 5;
/** The types of values that are no measurement, for messages. */
const CONVERTED_OTHER: Readonly<Record<number, string>> = { 19: "JSON", 20: "BSON", 21: "interval" };

/** The columns side by side; those within others are passed over. */
function fieldsOf(elements: readonly SchemaElement[]): ParquetField[] {
  const [root] = elements;
  if (root === undefined) throw damaged("no schema");
  const fields: ParquetField[] = [];
  let chunk = 0;
  for (let at = 1; fields.length < root.children; ) {
    const element = elements[at];
    if (element === undefined) throw damaged("a schema that is cut short");
    const end = endOf(elements, at);
    const isFlat = end === at + 1 && element.repetition !== REPEATED && element.physical !== undefined;
    fields.push(isFlat ? flatField(element, chunk) : nestedField(element));
    for (; at < end; at++) if (elements[at]!.children === 0) chunk++;
  }
  return fields;
}

/** Behind an element and all within it. */
function endOf(elements: readonly SchemaElement[], start: number): number {
  let at = start;
  for (let open = 1; open > 0 && at < elements.length; open--) open += elements[at++]!.children;
  return at;
}

function nestedField({ name, repetition }: SchemaElement): ParquetField {
  const type = repetition === REPEATED ? "list" : "nested type";
  const meaning = { kind: "other", name: type } as const;
  return { name, type: meaning, chunk: -1, physical: "bytes", width: 0, meaning, isOptional: true };
}

function flatField(element: SchemaElement, chunk: number): ParquetField {
  const { name, width, repetition } = element;
  const physical = element.physical!;
  const meaning = meaningOf(element, physical);
  return {
    name,
    type: typeOf(physical, width, meaning),
    chunk,
    physical,
    width,
    meaning,
    isOptional: repetition !== REQUIRED,
  };
}

function meaningOf({ converted = -1, scale, logical }: SchemaElement, physical: Physical): Meaning {
  if (logical !== undefined) return logical;
  if (converted === CONVERTED_DECIMAL) return { kind: "decimal", scale };
  if (CONVERTED_OTHER[converted] !== undefined) return { kind: "other", name: CONVERTED_OTHER[converted] };
  // INT96 is read as what clocks show: some writers have put instants there, and others local times.
  if (physical === "int96") return { kind: "time", unit: "ns", instants: false };
  // Older writers have texts without saying so.
  return CONVERTED[converted] ?? { kind: physical === "bytes" ? "text" : "plain" };
}

function typeOf(physical: Physical, width: number, meaning: Meaning): ColumnType {
  const isBytes = physical === "bytes" || physical === "fixed";
  switch (meaning.kind) {
    case "time":
      return isBytes ? unread(physical) : { kind: "time", instants: meaning.instants };
    case "clock":
      return isBytes ? unread(physical) : { kind: "clock" };
    case "text":
    case "uuid":
      return isBytes ? { kind: "text" } : unread(physical);
    case "decimal":
      return physical === "float" || physical === "double" ? unread(physical) : { kind: "number" };
    case "half":
      return physical === "fixed" && width === 2 ? { kind: "number" } : unread(physical);
    case "other":
      return meaning;
    default:
      return physical === "boolean" ? { kind: "flag" } : isBytes ? unread("binary") : { kind: "number" };
  }
}

const unread = (name: string): ColumnType => ({ kind: "other", name });
