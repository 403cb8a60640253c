/** Parquet and Arrow as the reader of commands and uploads reads them: what is whole, what is damaged, and what says more than it has. */
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Bool, Float64, makeVector, Table, TimestampNanosecond, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import { Footer } from "apache-arrow/fb/footer";
import { Message } from "apache-arrow/fb/message";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import fc from "fast-check";
import { ByteBuffer } from "flatbuffers";
import { describe, expect, it } from "vitest";
import { openColumnarFile } from "../../formats/columnar/index.ts";
import { arrowOf } from "../../testing/columnar/arrow.ts";
import {
  CODEC,
  doubles,
  ENCODING,
  longs,
  nestedParquet,
  type Page,
  type ParquetColumn,
  parquetFile,
  parquetOf,
  parquetWithFooter,
  readingColumns,
  strings,
  type TestReading,
} from "../../testing/columnar/parquet.ts";
import { inMemory, readTable } from "../../testing/columnar/read.ts";
import { snappyCompress } from "../../testing/remote-write.ts";

const START_US = Date.UTC(2026, 0, 5) * 1000;
const readings = (count: number): TestReading[] =>
  Array.from({ length: count }, (_, i) => ({ sensorId: `s${i % 3}`, timeUs: START_US + i * 1e6 + i, value: i / 4 }));
const pointsOf = (all: readonly TestReading[]) => all.map(({ sensorId, timeUs, value }) => [sensorId, timeUs, value]);
const MB = 1024 * 1024;
/** Of what says where a record batch lies, and where a buffer lies in it, in Arrow. */
const [BLOCK_BYTES, BUFFER_BYTES] = [24, 16];

const WRITERS: readonly (readonly [string, (all: readonly TestReading[]) => Buffer | Promise<Buffer>])[] = [
  ["Parquet", (all) => parquetOf(all, 700)],
  ["an Arrow stream", (all) => arrowOf(all, { batchRows: 700 })],
  ["an Arrow file", (all) => arrowOf(all, { form: "file", batchRows: 700 })],
];

describe.each(WRITERS)("%s", (_, write) => {
  it("is read as it was written, whatever pieces it comes in", async () => {
    const all = readings(2_500);
    const bytes = await write(all);
    for (const piece of [1, 7, 64 * 1024]) {
      const { points, losses, problem } = await readTable(bytes, {}, piece);
      expect([problem, losses]).toEqual([undefined, []]);
      expect(points).toEqual(pointsOf(all));
    }
  });

  it("that is cut off anywhere is refused, or has none of the rows that are missing", async () => {
    const all = readings(60);
    const bytes = await write(all);
    for (let length = 0; length < bytes.length; length += 7) {
      const { points, problem } = await readTable(bytes.subarray(0, length));
      // A stream may end behind any of its batches.
      if (problem === undefined) expect([0, 60]).toContain(points.length);
      expect(points).toEqual(pointsOf(all.slice(0, points.length)));
    }
  });

  it("with bits that are flipped is read or refused, and never more", async () => {
    const bytes = await write(readings(40));
    const flips = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(flips, async (all) => {
        const damaged = Buffer.from(bytes);
        for (const [at, bits] of all) damaged[at]! ^= bits;
        const { points, problem } = await readTable(damaged);
        expect(points.length <= 40 || problem !== undefined).toBe(true);
      }),
      { numRuns: 400 },
    );
  });
});

/** One value column beside plain columns of sensor and time. */
function withValues(column: Omit<ParquetColumn, "name">, rows: number): Buffer {
  const [sensor, time] = readingColumns(readings(rows)).columns;
  return parquetFile({ rows, columns: [sensor!, time!, { name: "value", ...column }] });
}

const packed = (page: Page, bytes: Buffer): Page => ({ ...page, bytes, unpacked: page.bytes.length });
/** A run of one value, as many times as it says. */
function run(count: number, value: number, before: readonly number[] = []): Buffer {
  const bytes = [...before];
  let header = count * 2;
  for (; header > 127; header = Math.floor(header / 128)) bytes.push((header % 128) + 128);
  return Buffer.from([...bytes, header, value]);
}

describe("Parquet's pages", () => {
  const page = doubles([1, 2, 3]);

  it.each([
    ["snappy", CODEC.snappy, snappyCompress(page.bytes)],
    ["gzip", CODEC.gzip, gzipSync(page.bytes)],
    ["zstd", CODEC.zstd, zstdCompressSync(page.bytes)],
    ["lz4", CODEC.lz4, Buffer.concat([Buffer.from([0xf0, 24 - 15]), page.bytes])],
  ])("are unpacked by %s, and refused where they are not of the length that they say", async (_, codec, bytes) => {
    const whole = await readTable(withValues({ type: "double", codec, pages: [packed(page, Buffer.from(bytes))] }, 3));
    expect([whole.problem, whole.points.map(([, , value]) => value)]).toEqual([undefined, [1, 2, 3]]);
    for (const unpacked of [23, 25, 20 * MB]) {
      const lying = { ...page, bytes: Buffer.from(bytes), unpacked };
      const { problem } = await readTable(withValues({ type: "double", codec, pages: [lying] }, 3));
      expect(problem).toMatch(/damaged/);
    }
  });

  it("of a dictionary, and in several parts, are put together", async () => {
    const dictionary = { ...doubles([7.5, 8.5]), isDictionary: true };
    const coded = {
      values: 3,
      encoding: ENCODING.dictionary,
      bytes: Buffer.concat([Buffer.from([1]), run(2, 1), run(1, 0)]),
    };
    const { points, problem } = await readTable(
      withValues({ type: "double", pages: [dictionary, coded, doubles([1])] }, 4),
    );
    expect([problem, points.map(([, , value]) => value)]).toEqual([undefined, [8.5, 8.5, 7.5, 1]]);
  });

  it("with missing values leave these rows out, and count them", async () => {
    const levels = Buffer.concat([Buffer.from([2, 0, 0, 0]), run(1, 1).subarray(0, 0), Buffer.from([3, 0b101])]);
    const bytes = Buffer.concat([levels, doubles([1, 3]).bytes]);
    const optional = { type: "double" as const, isOptional: true, pages: [{ values: 3, bytes }] };
    const { points, missing } = await readTable(withValues(optional, 3));
    expect([points.map(([, at, value]) => [(at - START_US) / 1_000_001, value]), missing]).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      1,
    ]);
  });

  it.each([
    ["a run that is longer than the page", ENCODING.dictionary, run(2 ** 30, 0, [1]), 3, undefined],
    [
      "more values than memory has",
      ENCODING.dictionary,
      run(2 ** 31 - 1, 0, [1]),
      2 ** 31 - 1,
      /more than 2097152 values/,
    ],
    ["values that are not there", ENCODING.plain, Buffer.alloc(8), 3, /fewer values/],
    ["a place that the dictionary does not have", ENCODING.dictionary, run(3, 1, [1]), 3, /dictionary/],
    ["an unknown encoding", ENCODING.unknown, Buffer.alloc(24), 3, /has encoding 99, which is not read/],
    ["differences without blocks", ENCODING.deltas, Buffer.from([0, 0, 3, 0]), 3, /not read|damaged/],
  ])("of %s take no more than they have", async (_, encoding, bytes, values, why) => {
    const dictionary = { ...doubles([5]), isDictionary: true };
    const { points, problem } = await readTable(
      withValues({ type: "double", pages: [dictionary, { values, encoding, bytes }] }, 3),
    );
    if (why === undefined) expect([points.map(([, , value]) => value), problem]).toEqual([[5, 5, 5], undefined]);
    else expect([points, problem]).toEqual([[], expect.stringMatching(why)]);
  });

  it("of values that are shorter than their type are refused", async () => {
    // Differences of lengths: three shared parts of no bytes, and three own parts of no bytes.
    const nothing = [0x80, 1, 1, 3, 0, 0, 0];
    const page = { values: 3, encoding: ENCODING.deltaBytes, bytes: Buffer.from([...nothing, ...nothing]) };
    const { points, problem } = await readTable(withValues({ type: "fixed", isHalf: true, pages: [page] }, 3));
    expect([points, problem]).toEqual([[], expect.stringMatching(/damaged/)]);
  });

  it("of texts that repeat each other without end are refused before they are made", async () => {
    // Prefixes of 1 MB, a thousand of them, in some bytes: constant differences.
    const header = [0x80, 1, 1];
    const deltas = (first: number, rest: number) => {
      const zigzag = (value: number) => {
        const bytes: number[] = [];
        let left = value >= 0 ? value * 2 : -value * 2 - 1;
        for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
        return [...bytes, left];
      };
      return [...header, 100, ...zigzag(first), ...zigzag(rest - first), 0];
    };
    const own = Buffer.alloc(MB, "x");
    const bytes = Buffer.concat([Buffer.from([...deltas(0, 0), ...deltas(MB, MB)]), own]);
    const [, time, value] = readingColumns(readings(100)).columns;
    const sensor: ParquetColumn = {
      name: "sensor_id",
      type: "bytes",
      converted: 0,
      pages: [{ values: 100, encoding: ENCODING.deltaBytes, bytes }],
    };
    const { points, problem } = await readTable(parquetFile({ rows: 100, columns: [sensor, time!, value!] }));
    expect([points, problem]).toEqual([[], expect.stringMatching(/texts that are longer than a page|fewer values/)]);
  });
});

describe("a file that says more than it has", () => {
  it("has no more rows than its pages, whatever their number is said to be", async () => {
    const table = readingColumns(readings(3));
    const { points, problem } = await readTable(parquetFile({ ...table, rows: 10n ** 12n }));
    expect(points).toHaveLength(3);
    expect(problem).toMatch(/fewer rows than its row group/);
  });

  it("is refused where a few bytes are rows without end", async () => {
    const many = 1_900_000;
    const constant = (name: string, type: "int64" | "double", of: Page): ParquetColumn => ({
      ...{ name, type },
      ...(name === "time" ? { converted: 10 } : {}),
      pages: [
        { ...of, isDictionary: true },
        { values: many, encoding: ENCODING.dictionary, bytes: run(many, 0, [1]) },
      ],
    });
    const columns = [constant("time", "int64", longs([BigInt(START_US)])), constant("value", "double", doubles([1]))];
    const { points, problem } = await readTable(parquetFile({ rows: many, columns }));
    expect(problem).toMatch(/more than 1000 rows for each of its bytes/);
    expect(points).toEqual([]);
  });

  it("is refused where a row group needs more memory than there is for it", async () => {
    const zeros = zstdCompressSync(Buffer.alloc(16 * MB));
    const column = (name: string): ParquetColumn => ({
      ...{ name, type: "double", codec: CODEC.zstd },
      pages: [{ values: 2 * MB, bytes: zeros, unpacked: 16 * MB }],
    });
    const time: ParquetColumn = { ...column("time"), type: "int64", converted: 10 };
    const { problem } = await readTable(parquetFile({ rows: 2 * MB, columns: [time, column("a"), column("b")] }), {
      wide: true,
    });
    expect(problem).toMatch(/needs more than 64 MiB of memory at once: write it with smaller record batches/);
  });

  it("with a sensor in each of many columns is read a few rows at a time", async () => {
    const rows = 20;
    const [, time] = readingColumns(readings(rows)).columns;
    const page = doubles(Array.from({ length: rows }, (_, i) => i));
    const sensors = Array.from(
      { length: 5_000 },
      (_, i): ParquetColumn => ({ name: `s${i}`, type: "double", pages: [page] }),
    );
    const bytes = parquetFile({ rows, columns: [time!, ...sensors] });
    const reader = await openColumnarFile("parquet", inMemory(bytes), { wide: true });
    const chunks: number[] = [];
    for await (const some of reader.chunks()) chunks.push(some.reduce((sum, { points }) => sum + points.length, 0));
    expect(chunks).toEqual(Array(rows).fill(5_000));
  });

  it("is refused where the footer of Parquet lists the same columns again and again", async () => {
    const { points, problem } = await readTable(parquetFile({ ...readingColumns(readings(500)), listed: 40 }));
    expect(problem).toMatch(/columns that lie in the same bytes/);
    expect(points.length).toBeLessThanOrEqual(1_000);
  });

  it("is refused where the footer of an Arrow file lists the same record batch again and again", async () => {
    const bytes = Buffer.from(await arrowOf(readings(1_050), { form: "file", firstRows: 1_000, batchRows: 1 }));
    const end = bytes.length - 10;
    const at = end - bytes.readInt32LE(end);
    const footer = Footer.getRootAsFooter(new ByteBuffer(bytes.subarray(at, end)));
    const place = (block: number) => at + footer.recordBatches(block)!.bb_pos;
    for (let block = 1; block < footer.recordBatchesLength(); block++)
      bytes.copy(bytes, place(block), place(0), place(0) + BLOCK_BYTES);
    const { points, problem } = await readTable(bytes);
    expect(problem).toMatch(/record batches that lie in the same bytes/);
    expect(points.length).toBeLessThanOrEqual(3_000);
  });

  it("is refused where many columns of an Arrow record batch are the same bytes", async () => {
    const rows = 1_000;
    const times = BigInt64Array.from({ length: rows }, (_, i) => BigInt(START_US + i) * 1000n);
    const flags = Array.from({ length: 30 }, (_, i) => [`f${i}`, vectorFromArray(Array(rows).fill(true), new Bool())]);
    const table = new Table({
      time: makeVector({ type: new TimestampNanosecond("UTC"), data: times, nullCount: 0 }),
      value: makeVector({ type: new Float64(), data: new Float64Array(rows), nullCount: 0 }),
      ...Object.fromEntries(flags),
    });
    const bytes = Buffer.from(tableToIPC(table, "stream"));
    const at = 8 + bytes.readUInt32LE(4) + 8;
    const message = Message.getRootAsMessage(new ByteBuffer(bytes.subarray(at)));
    const batch = message.header(new RecordBatch())! as RecordBatch;
    const places = Array.from({ length: batch.buffersLength() }, (_, i) => batch.buffers(i)!);
    const large = places.find((buffer) => Number(buffer.length()) === rows * 8)!.bb_pos;
    for (const buffer of places)
      if (buffer.length() > 0n) bytes.copy(bytes, at + buffer.bb_pos, at + large, at + large + BUFFER_BYTES);
    expect((await readTable(bytes)).problem).toMatch(/buffers that lie in the same bytes/);
  });

  it.each([
    ["nested without end", nestedParquet(50_000), /more than 20000 columns/],
    ["nested a little", nestedParquet(100), /./],
    ["a list of 2^28 columns", parquetWithFooter(Buffer.from([0x15, 2, 0x19, 0xfc, 255, 255, 255, 127])), /damaged/],
    ["structs in structs", parquetWithFooter(Buffer.alloc(100_000, 0x1c)), /nested too deep/],
    ["nothing", parquetWithFooter(Buffer.alloc(0)), /damaged/],
  ])("is refused where its schema is %s", async (_, bytes, why) => {
    expect((await readTable(bytes)).problem).toMatch(why);
  });

  it("is refused where a message of Arrow is larger than memory, before it is taken", async () => {
    const stream = Buffer.from(await arrowOf(readings(10)));
    const huge = Buffer.concat([Buffer.from([255, 255, 255, 255, 255, 255, 255, 127]), stream]);
    expect((await readTable(huge)).problem).toMatch(/needs more than 64 MiB/);
  });

  it("is refused where a type of Arrow says nothing of itself", async () => {
    const bytes = Buffer.from(await arrowOf(readings(3)));
    // Each byte of the schema, set to nothing in its turn.
    const end = 8 + bytes.readUInt32LE(4);
    for (let at = 8; at < end; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = 0;
      const { points, problem } = await readTable(damaged);
      expect(points.length <= 3 || problem !== undefined, String(at)).toBe(true);
    }
  });

  it.each([
    ["Parquet", "a file that is not"],
    ["CSV", "sensor_id,time,value\n"],
    ["nothing", ""],
  ])("and is %s by its name alone is refused", async (_, text) => {
    expect((await readTable(Buffer.from(text))).problem).toMatch(
      /should be an Arrow stream, and begins as no such file/,
    );
  });
});

describe("columns", () => {
  const stream = (columns: ConstructorParameters<typeof Table>[0]) =>
    Buffer.from(tableToIPC(new Table(columns as never), "stream"));
  const time = vectorFromArray(["2026-01-05T00:00:00Z", "2026-01-05T00:01:00Z"], new Utf8());

  it("that are ambiguous are refused with the option that decides", async () => {
    // One vector in two columns is written wrongly by Apache's writer.
    const numbers = () => vectorFromArray([1, 2], new Float64());
    const { problem } = await readTable(stream({ time, a: numbers(), b: numbers() } as never));
    expect(problem).toMatch(/the columns "a", "b" may hold values: --value-column chooses one, --wide takes each/);
    const wide = await readTable(stream({ time, "a [bar]": numbers(), b: numbers() } as never), { wide: true });
    expect(wide.points.map(([id, , value]) => [id, value])).toEqual([
      ["a", 1],
      ["b", 1],
      ["a", 2],
      ["b", 2],
    ]);
    expect(wide.units).toEqual(["bar", ""]);
  });

  it("of texts are read as the cells of a CSV, with its refusals by row", async () => {
    const table = stream({ time, value: vectorFromArray(["1,5", "2 bar"], new Utf8()) } as never);
    const { points, losses } = await readTable(table, { decimal: "," });
    expect([points.map(([, , value]) => value), losses]).toEqual([
      [1.5],
      [[2, expect.stringMatching(/"2 bar"; wanted a number/)]],
    ]);
    const dates = stream({
      time: vectorFromArray(["01/02/2026", "02/02/2026"], new Utf8()),
      value: vectorFromArray([1, 2], new Float64()),
    } as never);
    expect((await readTable(dates)).problem).toMatch(/^row 1: the date .*--day-first or --month-first decides/);
  });

  it("of times that clocks show are taken in the zone, and cut to microseconds", async () => {
    const clock = (ns: bigint) =>
      makeVector({ type: new TimestampNanosecond(null), data: BigInt64Array.of(ns), nullCount: 0 });
    const local = clock(1_772_368_215_123_456_789n);
    const table = stream({ time: local, value: vectorFromArray([1], new Float64()) } as never);
    const utc = 1_772_368_215_123_456;
    expect((await readTable(table)).points[0]?.[1]).toBe(utc);
    expect((await readTable(table, { timeZone: "Europe/Berlin" })).points[0]?.[1]).toBe(utc - 3_600e6);
    const twice = clock(BigInt(Date.UTC(2026, 9, 25, 2, 30)) * 1_000_000n);
    const ambiguous = stream({ time: twice, value: vectorFromArray([1], new Float64()) } as never);
    expect((await readTable(ambiguous, { timeZone: "Europe/Berlin" })).losses).toEqual([
      [1, expect.stringMatching(/time is "2026-10-25T02:30:00.000", which occurs twice in Europe\/Berlin/)],
    ]);
  });

  it("of types that are no measurement are not taken for one", async () => {
    const flags = stream({ time, value: vectorFromArray([true, false], new Bool()) } as never);
    expect((await readTable(flags)).losses).toEqual([
      [1, expect.stringMatching(/value is "true"; wanted a number/)],
      [2, expect.stringMatching(/value is "false"; wanted a number/)],
    ]);
  });

  it("of sensors whose bytes are no UTF-8 lose their rows", async () => {
    const sensor = strings(["ab", "cd"]);
    sensor.bytes[5] = 0xff;
    const [, time, value] = readingColumns(readings(2)).columns;
    const file = parquetFile({ rows: 2, columns: [{ name: "sensor", type: "bytes", pages: [sensor] }, time!, value!] });
    const { points, losses } = await readTable(file);
    expect([points.map(([id]) => id), losses]).toEqual([["cd"], [[1, "the sensor is described by what is no UTF-8"]]]);
  });

  it("of sensors with a name that is too long lose their rows", async () => {
    const long = vectorFromArray(["x".repeat(2_000), "b"], new Utf8());
    const table = stream({ sensor: long, time, value: vectorFromArray([1, 2], new Float64()) } as never);
    expect((await readTable(table)).losses).toEqual([[1, expect.stringMatching(/described by 2003 characters/)]]);
  });
});
