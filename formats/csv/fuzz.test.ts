/**
 * Any table, written in any dialect: the same readings come back, or the file is refused. Never other values. FUZZ_RUNS sets how many
 * tables each property tries.
 */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { CsvProblem } from "./problem.ts";
import { type CsvOptions, CsvReader } from "./read.ts";
import { SortedReadings } from "./sorted.ts";

const numRuns = Number(process.env.FUZZ_RUNS ?? 300);

interface Row {
  readonly us: number;
  readonly value: number | undefined;
  readonly sensor: string;
}

/** From 1990 to 2099, whole microseconds. */
const anyTime = fc.oneof(
  fc.integer({ min: 631_152_000, max: 4_070_908_799 }).map((s) => s * 1e6),
  fc
    .tuple(fc.integer({ min: 631_152_000, max: 4_070_908_799 }), fc.integer({ min: 0, max: 999_999 }))
    .map(([s, us]) => s * 1e6 + us),
);
const anyValue = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer({ min: -2_000_000, max: 2_000_000 }),
  fc.integer({ min: -2_000_000, max: 2_000_000 }).map((n) => n / 100),
  fc.integer({ min: -2_000_000, max: 2_000_000 }).map((n) => n / 1000),
  fc.constant(undefined),
);
const anySensor = fc.oneof(
  fc.constantFrom(
    "a",
    "pump 1",
    "a,b",
    "a;b",
    'say "x"',
    "tab\tbed",
    "x|y",
    "7",
    "-1",
    "1.234",
    "2026",
    "null",
    "two\nlines",
    "#1",
  ),
  fc
    .string({ minLength: 1, maxLength: 12, unit: "grapheme" })
    .map((s) => s.trim().replaceAll("\0", ""))
    .filter((s) => s !== "" && !s.startsWith("'")),
);
const anyRow: fc.Arbitrary<Row> = fc.record({ us: anyTime, value: anyValue, sensor: anySensor });

const iso = (us: number) => new Date(Math.floor(us / 1000)).toISOString();
const fraction = (us: number) => String(us % 1e6).padStart(6, "0");
/** Ways to write a time, with what the user has to say for it to be read. */
const TIMES: Record<string, { write(us: number): string; options?: CsvOptions }> = {
  iso: { write: (us) => `${iso(us).slice(0, 19)}.${fraction(us)}Z` },
  blank: { write: (us) => `${iso(us).slice(0, 19).replace("T", " ")},${fraction(us)}` },
  offset: { write: (us) => `${iso(us + 5.5 * 3600e6).slice(0, 19)}.${fraction(us)}+05:30` },
  seconds: { write: (us) => `${Math.floor(us / 1e6)}.${fraction(us)}` },
  micros: { write: (us) => String(us) },
  nanos: { write: (us) => `${us}000` },
  european: {
    write: (us) =>
      `${iso(us).slice(8, 10)}.${iso(us).slice(5, 7)}.${iso(us).slice(0, 4)} ${iso(us).slice(11, 19)}.${fraction(us)}`,
  },
  american: {
    write: (us) =>
      `${iso(us).slice(5, 7)}/${iso(us).slice(8, 10)}/${iso(us).slice(0, 4)} ${iso(us).slice(11, 19)}.${fraction(us)}`,
  },
  compact: { write: (us) => `${iso(us).slice(0, 19).replace(/[-:]/g, "")}.${fraction(us)}Z` },
};

/** A number without an exponent, as spreadsheets write it. */
function grouped(value: number, decimal: string, thousands: string): string {
  const [whole = "", part] = String(value).split(".");
  if (/e/i.test(String(value))) return String(value).replace(".", decimal);
  return whole.replace(/\B(?=(\d{3})+$)/g, thousands) + (part === undefined ? "" : decimal + part);
}

interface Dialect {
  readonly delimiter: string;
  readonly decimal: "." | ",";
  readonly grouping: boolean;
  readonly newline: string;
  readonly quoteAll: boolean;
  readonly mark: boolean;
  readonly header: readonly [string, string, string];
  readonly time: string;
  readonly tellDelimiter: boolean;
  readonly tellDecimal: boolean;
  readonly tellOrder: boolean;
  readonly wide: boolean;
}

const anyDialect: fc.Arbitrary<Dialect> = fc.record({
  delimiter: fc.constantFrom(",", ";", "\t", "|"),
  decimal: fc.constantFrom(".", ","),
  grouping: fc.boolean(),
  newline: fc.constantFrom("\n", "\r\n", "\r"),
  quoteAll: fc.boolean(),
  mark: fc.boolean(),
  header: fc.constantFrom(
    ["time", "value", "sensor_id"],
    ["Timestamp (UTC)", "VALUE", "Sensor"],
    ["ts", "reading", "device"],
  ),
  time: fc.constantFrom(...Object.keys(TIMES)),
  tellDelimiter: fc.boolean(),
  tellDecimal: fc.boolean(),
  tellOrder: fc.boolean(),
  wide: fc.constant(false),
});

/**
 * Between commas a point is the decimal mark, unless a number shows otherwise: nobody separates cells by commas and thousands by
 * points. A file of such numbers alone is the one that is read as what it is not.
 */
const isRead = (d: Dialect) => !(d.delimiter === "," && d.decimal === "," && d.grouping);

function write(rows: readonly Row[], d: Dialect): Uint8Array {
  const number = (value: number | undefined) =>
    value === undefined ? "" : grouped(value, d.decimal, d.grouping ? (d.decimal === "." ? "," : ".") : "");
  const cell = (text: string) =>
    d.quoteAll || /["\r\n]/.test(text) || text.includes(d.delimiter) || /^\s*#/.test(text)
      ? `"${text.replaceAll('"', '""')}"`
      : text;
  const table = [d.header, ...rows.map(({ us, value, sensor }) => [TIMES[d.time]!.write(us), number(value), sensor])];
  const text = table.map((cells) => cells.map(cell).join(d.delimiter) + d.newline).join("");
  return Buffer.from((d.mark ? "\ufeff" : "") + text);
}

function optionsOf(d: Dialect): CsvOptions {
  const order = d.time === "european" ? "day-first" : d.time === "american" ? "month-first" : undefined;
  return {
    ...(d.tellDelimiter ? { delimiter: d.delimiter } : {}),
    ...(d.tellDecimal ? { decimal: d.decimal } : {}),
    ...(d.tellOrder && order !== undefined ? { dayOrder: order } : {}),
  };
}

async function readAll(bytes: Uint8Array, options: CsvOptions): Promise<{ rows: Row[]; lost: number }> {
  async function* pieces() {
    for (let from = 0; from < bytes.length; from += 50) yield bytes.subarray(from, from + 50);
  }
  const reader = await CsvReader.open(pieces(), options);
  const rows: Row[] = [];
  for await (const { timeUs, points } of reader.rows()) {
    for (const { series, value } of points) rows.push({ us: timeUs, value, sensor: reader.series[series]!.sensorId });
  }
  return { rows, lost: reader.losses.count };
}

test("any table in any dialect comes back, or is refused; never are its values others", async () => {
  let read = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRow, { minLength: 1, maxLength: 30 }),
      anyDialect.filter(isRead),
      async (rows, dialect) => {
        const wanted = rows.filter(({ value }) => value !== undefined);
        try {
          const got = await readAll(write(rows, dialect), optionsOf(dialect));
          read++;
          // What is lost is told; all else is as it was, in its order.
          let at = 0;
          for (const row of got.rows) {
            while (at < wanted.length && !same(wanted[at]!, row)) at++;
            expect(at, `${JSON.stringify(row)} was not written`).toBeLessThan(wanted.length);
            at++;
          }
          expect(got.rows.length + got.lost).toBe(wanted.length);
        } catch (error) {
          if (!(error instanceof CsvProblem)) throw error;
          refused++;
          // A user who says all that is asked for is not refused.
          if (dialect.tellDelimiter && dialect.tellDecimal && dialect.tellOrder) throw error;
        }
      },
    ),
    { numRuns },
  );
  // The property holds of a reader that refuses all, too: most tables are read.
  expect(read).toBeGreaterThan(refused);
});

/** A number comes back as JavaScript reads its digits: −0 as 0 does no harm. */
function same(a: Row, b: Row): boolean {
  return a.us === b.us && a.sensor === b.sensor && (a.value === b.value || Object.is(a.value, b.value));
}

test("bytes of any kind are read or refused, and nothing else happens", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.string({ maxLength: 300 }).map((s) => Buffer.from(s)),
      ),
      async (bytes) => {
        await readAll(bytes, {}).catch((error: unknown) => {
          if (!(error instanceof CsvProblem)) throw error;
        });
      },
    ),
    { numRuns },
  );
});

test("what is sorted on disk has no name there: a command that is killed leaves nothing behind", async () => {
  // A folder of its own: other tests sort at the same time.
  const folder = await mkdtemp(join(tmpdir(), "telltale-sorted-"));
  vi.stubEnv("TMPDIR", folder);
  const sorted = new SortedReadings(2);
  try {
    for (const time of [5, 4, 3, 2, 1]) await sorted.add(time, time, 0, time);
    expect(await readdir(folder)).toEqual([]);
    const times: number[] = [];
    for await (const { timeUs } of sorted) times.push(timeUs);
    expect(times).toEqual([1, 2, 3, 4, 5]);
  } finally {
    vi.unstubAllEnvs();
    await sorted.dispose();
    await rm(folder, { recursive: true });
  }
});

test("readings are sorted by time, those of equal time in their own order, in memory or on disk", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 70 }),
      async (times, piece) => {
        const sorted = new SortedReadings(piece);
        try {
          for (const [i, time] of times.entries()) await sorted.add(time, i / 7, i % 3, i);
          const wanted = times
            .map((timeUs, line) => ({ timeUs, value: line / 7, series: line % 3, line }))
            .sort((a, b) => a.timeUs - b.timeUs);
          for (let walk = 0; walk < 2; walk++) {
            const got = [];
            for await (const reading of sorted) got.push(reading);
            expect(got).toEqual(wanted);
          }
        } finally {
          await sorted.dispose();
        }
      },
    ),
    { numRuns: Math.min(numRuns, 100) },
  );
});
