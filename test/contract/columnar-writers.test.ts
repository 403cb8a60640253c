/** Files as pyarrow, pandas and polars write them, in all of their compressions and encodings, read by commands and uploads. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readTable } from "../../testing/columnar/read.ts";
import { describeWith } from "../../testing/needs.ts";
import { COLUMNAR, pythonWith } from "../../testing/python.ts";

const WRITE = join(import.meta.dirname, "../../testing/columnar/write.py");
const START_US = Date.UTC(2026, 0, 5) * 1000;
const ROWS = 3_000;

describeWith(["python3"], "pyarrow, pandas and polars", () => {
  let folder: string;
  const file = (name: string) => readFile(join(folder, name));
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-columnar-"));
    await promisify(execFile)(join(await pythonWith(COLUMNAR), "python"), [WRITE, folder]);
  }, 300_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("are read with every row, whatever the file is compressed and encoded by", async () => {
    const names = (await readdir(folder)).filter((name) => !/^(?:types|wide)/.test(name));
    expect(names.length).toBeGreaterThan(25);
    const wanted = Array.from({ length: ROWS }, (_, i) => i)
      .filter((i) => i % 7 !== 3)
      .map((i) => [`s${i % 3} °`, START_US + i * 1e6 + i, i / 4]);
    for (const name of names) {
      const { points, missing, units, losses, problem } = await readTable(await file(name));
      expect([name, problem, losses, missing, units]).toEqual([name, undefined, [], ROWS - wanted.length, ["°C"]]);
      expect(points, name).toEqual(wanted);
    }
  });

  it.each(["wide.parquet", "wide.feather"])("are read with a sensor in each column: %s", async (name) => {
    const { points, units, problem } = await readTable(await file(name), { wide: true });
    expect([problem, units]).toEqual([undefined, ["bar", ""]]);
    expect(points.slice(0, 3)).toEqual([
      ["pump-1", START_US, 0],
      ["pump-2", START_US, 0],
      ["pump-1", START_US + 1_000_001, 0.25],
    ]);
    expect(points.at(-1)).toEqual(["pump-2", START_US + 2_999 * 1_000_001, 2_999]);
  });

  const MOMENT_US = Date.UTC(2026, 2, 1, 12, 30, 15, 123) * 1000 + 456;
  const DAY_US = Date.UTC(2026, 2, 1) * 1000;
  it.each([
    ["t_s", MOMENT_US - 123_456],
    ["t_ms", MOMENT_US - 456],
    ["t_us", MOMENT_US],
    ["t_ns", MOMENT_US],
    ["t_us_zone", MOMENT_US],
    ["t_date", DAY_US],
    ["t_date64", DAY_US],
    ["t_epoch", 1_772_368_215_123_000],
    ["t_text", MOMENT_US],
  ])("have times of the type %s", async (timeColumn, us) => {
    for (const name of ["types.parquet", "types.arrow"]) {
      const { points, problem } = await readTable(await file(name), { timeColumn, valueColumn: ["n_double"] });
      expect([name, problem, points]).toEqual([name, undefined, [["", us, 0.1]]]);
      // What names no zone is what clocks show; what names one is not.
      const there = await readTable(await file(name), {
        timeColumn,
        valueColumn: ["n_double"],
        timeZone: "Asia/Tokyo",
      });
      const isInstant = timeColumn === "t_us_zone" || timeColumn === "t_epoch";
      expect([name, there.points[0]?.[1]]).toEqual([name, isInstant ? us : us - 9 * 3_600e6]);
    }
  });

  it.each(["types-clock.parquet", "types-clock.feather"])(
    "have dates and times of day side by side: %s",
    async (name) => {
      const { points, losses, problem } = await readTable(await file(name), { timeZone: "Europe/Berlin" });
      expect([problem, points]).toEqual([undefined, [["", MOMENT_US - 3_600e6, 1]]]);
      expect(losses).toEqual([[2, "date and time is missing"]]);
    },
  );

  it("have times as INT96", async () => {
    const bytes = await file("types-int96.parquet");
    for (const [timeColumn, us] of Object.entries({ t_us: MOMENT_US, t_ns: MOMENT_US, t_ms: MOMENT_US - 456 })) {
      const { points } = await readTable(bytes, { timeColumn, valueColumn: ["n_double"] });
      expect([timeColumn, points[0]?.[1]]).toEqual([timeColumn, us]);
    }
  });

  it.each<[string, number | RegExp | undefined]>([
    ["n_i8", -8],
    ["n_i16", -16],
    ["n_i32", -32],
    ["n_i64", -(2 ** 53)],
    ["n_i64_exact", 2 ** 60],
    ["n_i64_inexact", /9007199254740993, an integer that a number of double precision does not hold exactly/],
    ["n_u8", 200],
    ["n_u16", 60_000],
    ["n_u32", 4_000_000_000],
    ["n_u64", 2 ** 63],
    ["n_half", 1.5],
    ["n_float", 0.25],
    ["n_double", 0.1],
    ["n_decimal", Number("-123.4567890123456789")],
    ["n_decimal_small", 12.34],
    ["n_decimal_256", Number("12345678901234567890.5")],
    ["n_nan", undefined],
    ["n_infinite", /Infinity; wanted a finite number/],
    ["n_flag", /"true"; wanted a number/],
    ["n_text", 1.5],
    ["n_null", undefined],
  ])("have values of the type %s", async (name, wanted) => {
    for (const each of ["types.parquet", "types.arrow", "types-integers.parquet"]) {
      const options = { timeColumn: "t_us", valueColumn: [name] };
      const { points, losses, missing, problem } = await readTable(await file(each), options);
      const value = points[0]?.[2];
      if (wanted === undefined) expect([each, problem, points, losses, missing]).toEqual([each, undefined, [], [], 1]);
      else if (typeof wanted === "number")
        expect([each, problem, losses, value]).toEqual([each, undefined, [], wanted]);
      else expect([each, problem, losses]).toEqual([each, undefined, [[1, expect.stringMatching(wanted)]]]);
    }
  });
});
