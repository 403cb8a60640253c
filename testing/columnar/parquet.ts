/** Writes Parquet by hand, for tests: what its headers say may be anything, also what no writer would say. */

/** Thrift's compact protocol. */
class Thrift {
  readonly #bytes: number[] = [];
  #last = 0;

  #varint(value: bigint): void {
    let left = value;
    for (; left > 127n; left >>= 7n) this.#bytes.push(Number(left & 127n) | 128);
    this.#bytes.push(Number(left));
  }

  #field(id: number, type: number): this {
    this.#bytes.push(((id - this.#last) << 4) | type);
    this.#last = id;
    return this;
  }

  int(id: number, value: number | bigint | undefined): this {
    if (value === undefined) return this;
    this.#field(id, 6).#varint(zigzag(BigInt(value)));
    return this;
  }

  text(id: number, text: string): this {
    const bytes = Buffer.from(text);
    this.#field(id, 8).#varint(BigInt(bytes.length));
    this.#bytes.push(...bytes);
    return this;
  }

  flag(id: number, value: boolean): this {
    return this.#field(id, value ? 1 : 2);
  }

  struct(id: number, within: Thrift): this {
    this.#field(id, 12).#bytes.push(...within.end());
    return this;
  }

  structs(id: number, all: readonly Thrift[]): this {
    this.#field(id, 9).#bytes.push(0xfc);
    this.#varint(BigInt(all.length));
    for (const each of all) this.#bytes.push(...each.end());
    return this;
  }

  end(): number[] {
    return [...this.#bytes, 0];
  }
}

const zigzag = (value: bigint) => (value << 1n) ^ (value >> 63n);

export const PHYSICAL = { boolean: 0, int32: 1, int64: 2, int96: 3, float: 4, double: 5, bytes: 6, fixed: 7 } as const;
export const CODEC = { none: 0, snappy: 1, gzip: 2, lzo: 3, zstd: 6, lz4: 7 } as const;
export const ENCODING = { plain: 0, dictionary: 8, deltas: 5, deltaBytes: 7, unknown: 99 } as const;

export interface Page {
  readonly values: number;
  readonly bytes: Buffer;
  /** Absent: plain. */
  readonly encoding?: number;
  readonly isDictionary?: boolean;
  /** What its header says it unpacks to; absent: its length. */
  readonly unpacked?: number;
}

export interface ParquetColumn {
  readonly name: string;
  readonly type: keyof typeof PHYSICAL;
  /** Of the type's meaning: a member of ConvertedType. */
  readonly converted?: number;
  readonly codec?: number;
  /** Numbers of half precision, of the type "fixed". */
  readonly isHalf?: true;
  readonly isOptional?: boolean;
  readonly pages: readonly Page[];
}

export interface ParquetTable {
  readonly rows: number | bigint;
  readonly columns: readonly ParquetColumn[];
  /** How often the footer lists the row group; absent: once. */
  readonly listed?: number;
}

/** @param groups of the same columns */
export function parquetFile(...groups: readonly ParquetTable[]): Buffer<ArrayBuffer> {
  const parts: Buffer[] = [Buffer.from("PAR1")];
  let at = 4;
  const put = (bytes: Buffer) => {
    parts.push(bytes);
    at += bytes.length;
  };
  const rowGroups = groups.flatMap(({ rows, columns, listed = 1 }) => {
    const chunks = columns.map(({ name, type, codec, pages }) => {
      const from = at;
      let data = -1;
      for (const page of pages) {
        if (page.isDictionary !== true && data < 0) data = at;
        put(Buffer.from(headerOf(page).end()));
        put(page.bytes);
      }
      const dictionary = data > from ? from : undefined;
      const meta = new Thrift()
        .int(1, PHYSICAL[type])
        .int(4, codec ?? CODEC.none)
        .int(5, rows);
      meta
        .int(6, at - from)
        .int(7, at - from)
        .int(9, data < 0 ? from : data)
        .int(11, dictionary);
      return new Thrift().text(1, name.slice(0, 0)).int(2, from).struct(3, meta);
    });
    const group = new Thrift().structs(1, chunks).int(2, 0).int(3, rows);
    return Array.from({ length: listed }, () => group);
  });
  const columns = groups[0]!.columns;
  const elements = columns.map(({ name, type, converted, isHalf, isOptional = false }) => {
    const element = new Thrift()
      .int(1, PHYSICAL[type])
      .int(2, isHalf ? 2 : undefined)
      .int(3, isOptional ? 1 : 0);
    element.text(4, name).int(6, converted);
    return isHalf ? element.struct(10, new Thrift().struct(15, new Thrift())) : element;
  });
  const root = new Thrift().text(4, "schema").int(5, columns.length);
  const rows = groups.reduce((sum, group) => sum + BigInt(group.rows), 0n);
  const footer = new Thrift()
    .int(1, 2)
    .structs(2, [root, ...elements])
    .int(3, rows)
    .structs(4, rowGroups);
  return closed(Buffer.concat(parts), Buffer.from(footer.end()));
}

function closed(data: Buffer, footer: Buffer): Buffer<ArrayBuffer> {
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(footer.length);
  tail.write("PAR1", 4);
  return Buffer.concat([data, footer, tail]);
}

/** With a schema of columns within columns, and no rows. */
export function nestedParquet(depth: number): Buffer<ArrayBuffer> {
  const elements = Array.from({ length: depth }, (_, i) => new Thrift().text(4, `n${i}`).int(5, 1));
  const leaf = new Thrift().int(1, PHYSICAL.int32).text(4, "leaf");
  const footer = new Thrift()
    .int(1, 2)
    .structs(2, [...elements, leaf])
    .int(3, 0)
    .structs(4, []);
  return closed(Buffer.from("PAR1"), Buffer.from(footer.end()));
}

/** With a footer of these bytes. */
export function parquetWithFooter(footer: Buffer): Buffer<ArrayBuffer> {
  return closed(Buffer.from("PAR1"), footer);
}

function headerOf({ values, bytes, encoding = 0, isDictionary = false, unpacked = bytes.length }: Page): Thrift {
  const header = new Thrift()
    .int(1, isDictionary ? 2 : 0)
    .int(2, unpacked)
    .int(3, bytes.length);
  const page = new Thrift().int(1, values).int(2, encoding);
  return isDictionary ? header.struct(7, page) : header.struct(5, page.int(3, 3).int(4, 3));
}

export const doubles = (values: readonly number[]): Page => ({
  values: values.length,
  bytes: Buffer.from(Float64Array.from(values).buffer),
});

export const longs = (values: readonly bigint[]): Page => ({
  values: values.length,
  bytes: Buffer.from(BigInt64Array.from(values).buffer),
});

export const strings = (values: readonly string[]): Page => ({
  values: values.length,
  bytes: Buffer.concat(
    values.flatMap((text) => {
      const bytes = Buffer.from(text);
      const size = Buffer.alloc(4);
      size.writeUInt32LE(bytes.length);
      return [size, bytes];
    }),
  ),
});

const UTF8 = 0;
const TIMESTAMP_MICROS = 10;

export interface TestReading {
  readonly sensorId: string;
  /** Microseconds since 1970. */
  readonly timeUs: number;
  readonly value: number;
}

/** The columns sensor_id, time and value, plain. */
export function readingColumns(readings: readonly TestReading[]): ParquetTable {
  return {
    rows: readings.length,
    columns: [
      { name: "sensor_id", type: "bytes", converted: UTF8, pages: [strings(readings.map((each) => each.sensorId))] },
      {
        name: "time",
        type: "int64",
        converted: TIMESTAMP_MICROS,
        pages: [longs(readings.map((each) => BigInt(each.timeUs)))],
      },
      { name: "value", type: "double", pages: [doubles(readings.map((each) => each.value))] },
    ],
  };
}

/** In row groups of so many rows. */
export function parquetOf(readings: readonly TestReading[], groupRows = 10_000): Buffer<ArrayBuffer> {
  const groups = Array.from({ length: Math.ceil(readings.length / groupRows) }, (_, i) =>
    readingColumns(readings.slice(i * groupRows, (i + 1) * groupRows)),
  );
  return parquetFile(...groups);
}
