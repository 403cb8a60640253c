/** A column of a row group, a page in memory at a time. */
import { CsvProblem } from "../../csv/problem.ts";
import { type Budget, damaged } from "../budget.ts";
import { MAX_PAGE_BYTES, MAX_PAGE_VALUES } from "../limits.ts";
import type { RandomAccess } from "../random-access.ts";
import { type Codec, unpack } from "../unpack.ts";
import { type Values, Vector } from "../values.ts";
import { byteStreams, deltaBytes, deltaLengths, deltaNumbers, PageReader, plain, type Raw, runs } from "./encodings.ts";
import type { Chunk, ParquetField } from "./footer.ts";
import { CutShort, ThriftReader, TRUE } from "./thrift.ts";
import { valuesOf } from "./values.ts";

/** Loaded for the header of a page; and where it is longer, as with long texts in its statistics. */
const HEADER_BYTES = [4 * 1024, 1024 * 1024] as const;
/** What is made of a value: its place in a dictionary, whether it is missing, and where it begins and ends. */
const VALUE_BYTES = 16;

const [DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2] = [0, 2, 3];
const CODECS: Readonly<Record<number, Codec>> = {
  1: "snappy",
  2: "gzip",
  4: "brotli",
  5: "lz4_hadoop",
  6: "zstd",
  7: "lz4",
};

export class ColumnReader {
  readonly #file: RandomAccess;
  readonly #field: ParquetField;
  readonly #chunk: Chunk;
  readonly #budget: Budget;
  #at: number;
  #dictionary: { readonly values: Values; readonly bytes: number } | undefined;
  #vector: Vector | undefined;
  /** Of the page: its memory, its rows, and how many of them have been read. */
  #bytes = 0;
  #rows = 0;
  #read = 0;

  constructor(file: RandomAccess, field: ParquetField, chunk: Chunk, budget: Budget) {
    this.#file = file;
    this.#field = field;
    this.#chunk = chunk;
    this.#budget = budget;
    this.#at = chunk.from;
  }

  /** Rows of the page that are not read yet; loads the next page where there are none. */
  async available(): Promise<number> {
    while (this.#read === this.#rows) {
      this.#releasePage();
      await this.#next();
    }
    return this.#rows - this.#read;
  }

  /** So many of the available rows. */
  take(rows: number): Vector {
    const vector = this.#vector!.from(this.#read);
    this.#read += rows;
    return vector;
  }

  close(): void {
    this.#releasePage();
    this.#budget.release(this.#dictionary?.bytes ?? 0);
    this.#dictionary = undefined;
  }

  #releasePage(): void {
    this.#budget.release(this.#bytes);
    this.#bytes = 0;
    this.#vector = undefined;
  }

  async #next(): Promise<void> {
    if (this.#at >= this.#chunk.to) throw damaged("a column with fewer rows than its row group");
    const header = await this.#header();
    const { packed, values } = header;
    if (this.#at + packed > this.#chunk.to) throw damaged("a page beyond the end of its column");
    const from = this.#at;
    this.#at += packed;
    if (header.type !== DATA_PAGE && header.type !== DATA_PAGE_V2 && header.type !== DICTIONARY_PAGE) return;
    if (values > MAX_PAGE_VALUES || header.unpacked > MAX_PAGE_BYTES || packed > MAX_PAGE_BYTES) {
      const [has, most] = values > MAX_PAGE_VALUES ? ["values", MAX_PAGE_VALUES] : ["bytes", MAX_PAGE_BYTES];
      throw new CsvProblem(
        `a page of the column ${JSON.stringify(this.#field.name)} has more than ${most} ${has}: write it with smaller pages or row groups.`,
      );
    }
    const bytes = packed + header.unpacked + values * VALUE_BYTES;
    this.#budget.hold(bytes);
    const page = await this.#file.read(from, packed);
    if (header.type === DICTIONARY_PAGE) {
      if (this.#dictionary !== undefined) throw damaged("two dictionaries of one column");
      this.#dictionary = { values: this.#dictionaryOf(header, page), bytes };
    } else {
      this.#bytes = bytes;
      this.#rows = values;
      this.#read = 0;
      this.#vector = header.type === DATA_PAGE ? this.#page(header, page) : this.#page2(header, page);
    }
  }

  async #header(): Promise<PageHeader> {
    for (const size of HEADER_BYTES) {
      const length = Math.min(size, this.#chunk.to - this.#at);
      const reader = new ThriftReader(await this.#file.read(this.#at, length));
      try {
        const header = pageHeader(reader);
        this.#at += reader.at;
        return header;
      } catch (error) {
        if (!(error instanceof CutShort)) throw error;
        if (length < size) break;
      }
    }
    throw damaged("the header of a page that is cut short");
  }

  #unpack(packed: Uint8Array, length: number): Uint8Array {
    const { codec } = this.#chunk;
    if (codec === 0) return packed;
    const known = CODECS[codec];
    if (known !== undefined) return length === 0 ? new Uint8Array() : unpack(known, packed, length);
    throw new CsvProblem(`the file is compressed by codec ${codec}, which is not read: use zstd, snappy or gzip.`);
  }

  #dictionaryOf({ unpacked, values }: PageHeader, page: Buffer): Values {
    const { physical, width } = this.#field;
    return valuesOf(plain(new PageReader(this.#unpack(page, unpacked)), physical, width, values), this.#field);
  }

  #page({ unpacked, values, encoding }: PageHeader, page: Buffer): Vector {
    const reader = new PageReader(this.#unpack(page, unpacked));
    if (!this.#field.isOptional) return this.#vectorOf(reader, encoding, values, undefined);
    const levels = new PageReader(reader.take(reader.length()));
    return this.#vectorOf(reader, encoding, values, runs(levels, 1, values));
  }

  #page2({ unpacked, values, encoding, v2 }: PageHeader, page: Buffer): Vector {
    const { definitions, repetitions, isCompressed } = v2;
    const levelBytes = definitions + repetitions;
    if (!(definitions >= 0 && repetitions >= 0 && levelBytes <= page.length)) throw short();
    const packed = page.subarray(levelBytes);
    const reader = new PageReader(isCompressed ? this.#unpack(packed, unpacked - levelBytes) : packed);
    if (!this.#field.isOptional) return this.#vectorOf(reader, encoding, values, undefined);
    const levels = new PageReader(page.subarray(repetitions, levelBytes));
    return this.#vectorOf(reader, encoding, values, runs(levels, 1, values));
  }

  /** @param levels 1 for each row that has a value, 0 for the others; undefined where all have one */
  #vectorOf(reader: PageReader, encoding: number, rows: number, levels: Uint32Array | undefined): Vector {
    const count = levels === undefined ? rows : levels.reduce((sum, level) => sum + level, 0);
    const isDictionary = encoding === PLAIN_DICTIONARY || encoding === RLE_DICTIONARY;
    const codes = isDictionary ? this.#codes(reader, count) : undefined;
    const values =
      codes === undefined ? valuesOf(this.#raw(reader, encoding, count), this.#field) : this.#dictionary!.values;
    if (levels === undefined || count === rows) return new Vector(values, codes);
    const places = new Int32Array(rows);
    let next = 0;
    for (let i = 0; i < rows; i++) places[i] = levels[i] === 0 ? -1 : codes === undefined ? next++ : codes[next++]!;
    return new Vector(values, places);
  }

  #codes(reader: PageReader, count: number): Int32Array {
    if (this.#dictionary === undefined) throw damaged("a page without its dictionary");
    const { length } = this.#dictionary.values;
    const codes = count === 0 ? new Uint32Array() : runs(reader, reader.byte(), count);
    for (const code of codes) if (code >= length) throw damaged("a value that its dictionary does not have");
    return new Int32Array(codes.buffer);
  }

  #raw(reader: PageReader, encoding: number, count: number): Raw {
    const { physical, width } = this.#field;
    switch (encoding) {
      case PLAIN:
        return plain(reader, physical, width, count);
      case RLE: {
        if (physical !== "boolean") break;
        const bits = new PageReader(reader.take(reader.length()));
        return { kind: "flags", values: Uint8Array.from(runs(bits, 1, count)) };
      }
      case DELTA_BINARY_PACKED:
        if (physical !== "int32" && physical !== "int64") break;
        return deltaNumbers(reader, physical, count);
      case DELTA_LENGTH_BYTE_ARRAY:
        if (physical !== "bytes") break;
        return deltaLengths(reader, count);
      case DELTA_BYTE_ARRAY:
        if (physical !== "bytes" && physical !== "fixed") break;
        return deltaBytes(reader, count);
      case BYTE_STREAM_SPLIT:
        return byteStreams(reader, physical, width, count);
    }
    throw new CsvProblem(
      `the column ${JSON.stringify(this.#field.name)} has encoding ${encoding}, which is not read: write it with plain or dictionary encoding.`,
    );
  }
}

const [PLAIN, PLAIN_DICTIONARY, RLE] = [0, 2, 3];
const [DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY] = [5, 6, 7];
const [RLE_DICTIONARY, BYTE_STREAM_SPLIT] = [8, 9];

function short(): Error {
  return damaged("a page with fewer values than it says");
}

interface PageHeader {
  readonly type: number;
  readonly unpacked: number;
  readonly packed: number;
  readonly values: number;
  readonly encoding: number;
  /** Of pages of the second version: lengths of their levels, which are not compressed. */
  readonly v2: { readonly definitions: number; readonly repetitions: number; readonly isCompressed: boolean };
}

function pageHeader(reader: ThriftReader): PageHeader {
  const own: Record<number, number> = {};
  const page: Record<number, number> = {};
  let isCompressed = true;
  reader.struct((id) => {
    if (id <= 3) own[id] = reader.int();
    else if (id === 5 || id === 7 || id === 8)
      reader.struct((inner, type) => {
        if (id === 8 && inner === 7) isCompressed = type === TRUE;
        // Numbers; behind them, statistics.
        if (inner > (id === 8 ? 6 : 2)) return false;
        page[inner] = reader.int();
        return true;
      });
    else return false;
    return true;
  });
  const { 1: type = -1, 2: unpacked = -1, 3: packed = -1 } = own;
  const { 1: values = 0 } = page;
  const encoding = page[type === DATA_PAGE_V2 ? 4 : 2] ?? -1;
  if (unpacked < 0 || packed < 0 || values < 0) throw damaged("a page of negative size");
  return {
    type,
    unpacked,
    packed,
    values,
    encoding,
    v2: { definitions: page[5] ?? 0, repetitions: page[6] ?? 0, isCompressed },
  };
}
