import { describe, expect, test } from "vitest";
import { type CsvOptions, CsvReader } from "./read.ts";

interface Got {
  readonly readings: [time: string, value: number, sensor: string, unit: string][];
  readonly losses: string[];
  readonly missing: number;
}

async function* bytesOf(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  // In pieces, so that characters and line ends are cut.
  for (let from = 0; from < bytes.length; from += 7) yield bytes.subarray(from, from + 7);
}

async function read(text: string | Uint8Array, options: CsvOptions = {}): Promise<Got> {
  const reader = await CsvReader.open(bytesOf(text), options);
  const readings: Got["readings"] = [];
  for await (const { timeUs, points } of reader.rows()) {
    for (const { series, value } of points) {
      const { sensorId, unit } = reader.series[series]!;
      readings.push([
        `${new Date(Math.floor(timeUs / 1000)).toISOString().slice(0, 23)}${String(timeUs % 1000).padStart(3, "0")}`,
        value,
        sensorId,
        unit,
      ]);
    }
  }
  const losses = reader.losses.first.map(({ line, kind, reason }) => `${line} ${kind}: ${reason}`);
  return { readings, losses, missing: reader.losses.missing };
}

const values = async (text: string, options?: CsvOptions) =>
  (await read(text, options)).readings.map(([, value]) => value);
const times = async (text: string, options?: CsvOptions) => (await read(text, options)).readings.map(([time]) => time);

describe("columns", () => {
  test.each([
    "time",
    "TS",
    "Date",
    "DateTime",
    "Timestamp",
    "observed_at",
    "Time [UTC]",
    "timestamp (UTC)",
    "Time Stamp",
  ])("a time column may be called %s", async (name) =>
    expect(await times(`${name},value\n2026-01-02T03:04:05Z,1\n`)).toEqual(["2026-01-02T03:04:05.000000"]),
  );

  test.each(["when", "created_at", "stamp", "measured"])(
    "a column called %s is not guessed to be the time",
    async (name) => {
      const text = `${name},value\n2026-01-02T03:04:05Z,1\n`;
      await expect(read(text)).rejects.toThrow(/no column is known to hold the time.*--time-column/);
      expect(await times(text, { timeColumn: name.toUpperCase() })).toEqual(["2026-01-02T03:04:05.000000"]);
      expect(await times(text, { timeColumn: "1" })).toEqual(["2026-01-02T03:04:05.000000"]);
    },
  );

  test("a column of values alone is one a minute; beside any other column it is refused without --interval", async () => {
    expect(await times("value\n1\n2\n")).toEqual(["2024-01-01T00:00:00.000000", "2024-01-01T00:01:00.000000"]);
    await expect(read("value,room\n1,a\n")).rejects.toThrow(/no column is known to hold the time.*--interval/);
    const options = { intervalUs: 1e6, startUs: Date.UTC(2026, 0, 1) * 1000 };
    expect(await times("value,room\n1,a\nx,b\n3,c\n", options)).toEqual([
      "2026-01-01T00:00:00.000000",
      "2026-01-01T00:00:02.000000",
    ]);
  });

  test("two columns that may be the time, or the value, are refused with the option that decides", async () => {
    await expect(read("time,timestamp,value\n2026-01-01,2026-01-01,1\n")).rejects.toThrow(/--time-column decides/);
    await expect(read("time,a,b\n2026-01-01,1,2\n")).rejects.toThrow(
      /"a", "b" may hold values: --value-column.*--wide/,
    );
    expect(await values("time,a,b\n2026-01-01,1,2\n", { valueColumn: ["b"] })).toEqual([2]);
    await expect(read("time,a\n2026-01-01,1\n", { valueColumn: ["c"] })).rejects.toThrow(
      /--value-column is "c"; the file has the columns "time", "a"/,
    );
  });

  test("a date and a time of day in two columns are one time", async () => {
    expect(await times("Date;Time;Value\n2026-01-02;03:04:05,5;1,5\n")).toEqual(["2026-01-02T03:04:05.500000"]);
  });

  test("a date without its time of day is lost, and no midnight", async () => {
    const { readings, losses } = await read("Date;Time;Value\n2026-01-02;;1\n2026-01-02;03:04:05;2\n;03:04:06;3\n");
    expect(readings.map(([time]) => time)).toEqual(["2026-01-02T03:04:05.000000"]);
    expect(losses).toEqual(["2 time: Date and Time is missing", "4 time: Date and Time is missing"]);
  });

  test("a wide file has a sensor in each column, with its unit in brackets", async () => {
    const { readings, missing } = await read(
      "time,pump-1 (°C),pump-2 [bar],room (old)\n2026-01-01,1,2,3\n2026-01-02,,NaN,4\n",
      { wide: true },
    );
    expect(readings.map(([, ...rest]) => rest)).toEqual([
      [1, "pump-1", "°C"],
      [2, "pump-2", "bar"],
      [3, "room (old)", ""],
      [4, "room (old)", ""],
    ]);
    expect(missing).toBe(2);
  });

  test.each([
    ["that differ by their units", "temp [°C],temp [°F]"],
    ["that differ by what stands in brackets", "pressure [in],pressure [out]"],
    ["that differ by a blank", "a,a "],
  ])("columns of a wide file %s are no two sensors of one name", async (_, columns) => {
    const file = `time,${columns}\n2026-01-01,1,2\n`;
    await expect(read(file, { wide: true })).rejects.toThrow(/would both be the sensor "\w+": rename one/);
    const [first] = columns.split(",");
    expect((await read(file, { wide: true, valueColumn: [first!] })).readings).toHaveLength(1);
  });

  test("a long file has a sensor in each row, and units", async () => {
    const { readings, losses } = await read(
      'ts,sensor_id,value,unit\n2026-01-01,"a,b",1,C\n2026-01-01,,2,C\n2026-01-01,\'-x,3,F\n',
    );
    expect(readings.map(([, ...rest]) => rest)).toEqual([
      [1, "a,b", "C"],
      [3, "-x", "F"],
    ]);
    expect(losses).toEqual(["3 sensor: the sensor is missing"]);
  });

  test("a file without names has a time and a value, or a value; all else is refused", async () => {
    expect(await values("2026-01-01 00:00:00,1.5\n2026-01-01 00:00:01,2.5\n")).toEqual([1.5, 2.5]);
    expect(await values("1\n2\n")).toEqual([1, 2]);
    await expect(read("1,20.5\n2,20.6\n")).rejects.toThrow(/names no columns: --time-column 1 --value-column 2/);
    await expect(read("pump,2026-01-01,20.5\n")).rejects.toThrow(/names no columns/);
    expect(await values("pump,2026-01-01,20.5\n", { timeColumn: "2", valueColumn: ["3"] })).toEqual([20.5]);
    await expect(read("hello,world\n")).rejects.toThrow(/no column is known/);
    await expect(read("")).rejects.toThrow(/no rows/);
    for (const json of ['{"sensor_id":"a","value":1}\n', "[\n  {\n", '[{"time":1,"value":2}]']) {
      await expect(read(json)).rejects.toThrow(/the file is JSON.*application\/x-ndjson/);
    }
  });
});

describe("numbers", () => {
  test.each<[name: string, text: string, wanted: number[], options?: CsvOptions]>([
    ["semicolons and decimal commas", "time;value\n2026-01-01;19,88\n2026-01-02;-0,5\n", [19.88, -0.5]],
    ["quoted decimal commas", 'time,value\n2026-01-01,"19,88"\n', [19.88]],
    ["tabs", "time\tvalue\n2026-01-01\t19.88\n", [19.88]],
    ["pipes", "time|value\n2026-01-01|1e-3\n", [0.001]],
    ["thousands", 'time,value\n2026-01-01,"1,234.5"\n2026-01-02,"1,234,567"\n', [1234.5, 1_234_567]],
    ["German thousands", "time;value\n2026-01-01;1.234,5\n", [1234.5]],
    [
      "blanks and apostrophes",
      "time;value\n2026-01-01;1 234,5\n2026-01-01;1'234,5\n2026-01-01;1\u00a0234\n",
      [1234.5, 1234.5, 1234],
    ],
    ["three decimals between commas", "time,value\n2026-01-01,1.234\n", [1.234]],
    ["what the user says", "time;value\n2026-01-01;1,234\n", [1.234], { decimal: "," }],
    ["what the user says otherwise", "time;value\n2026-01-01;1,234\n", [1234], { decimal: "." }],
    ["a column of decimal commas, as the user says", "value\n19,88\n", [19.88], { decimal: "," }],
    ["comments, blank lines, CRLF", "# made by x, y\r\n\r\ntime,value\r\n2026-01-01,1\r\n\r\n# end\r\n", [1]],
    ["the delimiter in a line of its own", "sep=;\ntime;value\n2026-01-01;1,5\n", [1.5]],
    ["CR alone", "time,value\r2026-01-01,1\r2026-01-02,2\r", [1, 2]],
    ["delimiters at the ends of lines", "time,value\n2026-01-01,1,\n", [1]],
    ["a minus of typographers", "time,value\n2026-01-01,−1.5\n", [-1.5]],
  ])("%s", async (_name, text, wanted, options) => {
    const { readings, losses } = await read(text, options);
    expect([readings.map(([, value]) => value), losses]).toEqual([wanted, []]);
  });

  test.each<[name: string, text: string, why: RegExp]>([
    ["a decimal comma in one column", "value\n19,88\n20,01\n", /line 2 is "19,88".*--decimal , or --delimiter decides/],
    [
      "a decimal comma between commas",
      "time,value\n2026-01-01,19,88\n2026-01-01,20,01\n",
      /3 cells where the first line has 2.*--decimal/,
    ],
    ["1,234 alone", "time;value\n2026-01-01;1,234\n", /line 2: "1,234" is 1234 or 1.234: --decimal/],
    [
      "1.234 alone, between semicolons",
      "time;value\n2026-01-01;1.234\n",
      /line 2: "1.234" is 1234 or 1.234: --decimal/,
    ],
    [
      "two conventions",
      "time;value\n2026-01-01;19,88\n2026-01-01;19.88\n",
      /line 3 has "19.88" and line 2 "19,88": --decimal/,
    ],
    [
      "a quote never closed",
      'time,value\n2026-01-01,1\n"2026-01-02,2\n2026-01-03,3\n',
      /line 3 or later: a quote is opened and never closed/,
    ],
    ["a spreadsheet", "PK\u0003\u0004abcdefg", /\.xlsx.*save it as CSV/],
    ["NUL", "time,value\n2026-01-01,\0", /NUL/],
    ["two columns of one name", "time,value,value\n2026-01-01,1,2\n", /two columns are called "value"/],
  ])("%s is refused, never guessed", (_name, text, why) => expect(read(text)).rejects.toThrow(why));

  test("what a row alone has wrong costs that row, and is told with its line", async () => {
    const rows = ["1", "many", "19.88 °C", "1e999", "0x10", "", "NaN", "null", "2", "Infinity"];
    const { readings, losses, missing } = await read(
      `time;value\n${rows.map((cell) => `2026-01-01;${cell}`).join("\n")}\n2026-01-01;5.5\n`,
    );
    expect(readings.map(([, value]) => value)).toEqual([1, 2, 5.5]);
    expect(missing).toBe(3);
    expect(losses).toEqual([
      '3 value: value is "many"; wanted a number',
      '4 value: value is "19.88 °C"; wanted a number; a unit belongs into the header, or --unit',
      '5 value: value is "1e999", which is beyond what a number holds',
      '6 value: value is "0x10"; wanted a number',
      '11 value: value is "Infinity"; wanted a number',
    ]);
  });

  test("cells too many or too few, and quotes that do not fit, cost their row and no other", async () => {
    const rows = [
      "2026-01-01,1",
      "2026-01-02,2,3",
      "2026-01-03",
      '2026-01-04,"4"x',
      '2026-01-05,5" pipe',
      "2026-01-06,6",
    ];
    const { readings, losses } = await read(`time,value\n${rows.join("\n")}\n`);
    expect(readings.map(([, value]) => value)).toEqual([1, 6]);
    expect(losses.map((loss) => loss.split(":")[0])).toEqual(["3 cells", "4 cells", "5 value", "6 value"]);
  });

  test("a number that shows another decimal mark than the rows before costs its row, or refuses the file", async () => {
    const rows = Array.from({ length: 1_500 }, (_, i) => `2026-01-01,${i}.5`);
    const { losses } = await read(`time,value\n${rows.join("\n")}\n2026-01-02,"3,4"\n2026-01-02,"3,456"\n`);
    expect(losses).toEqual([
      '1502 value: value is "3,4"; wanted a number with the decimal mark "."',
      '1503 value: value is "3,456", which is 3456 or 3.456: --decimal . or --decimal , decides',
    ]);
  });

  test("a quoted text may have line breaks; one that swallows rows refuses the file", async () => {
    expect(await values('time,note,value\n2026-01-01,"two\nlines",1\n2026-01-02,x,2\n')).toEqual([1, 2]);
    const stray = 'time,note,value\n2026-01-01,"cut,1\n2026-01-02,x,2\n2026-01-03,y",3\n2026-01-04,z,4\n';
    await expect(read(stray)).rejects.toThrow(/line 2: a quoted cell goes over what look like rows/);
  });
});

describe("times", () => {
  const one = async (cell: string, options?: CsvOptions) => (await times(`time;value\n${cell};1\n`, options))[0];

  test.each<[cell: string, wanted: string, options?: CsvOptions]>([
    ["2026-01-02T03:04:05.123456Z", "2026-01-02T03:04:05.123456"],
    ["2026-01-02 03:04:05,123", "2026-01-02T03:04:05.123000"],
    ["2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05.000000"],
    ["2026/01/02 03:04", "2026-01-02T03:04:00.000000"],
    ["2026-01-02", "2026-01-02T00:00:00.000000"],
    ["20260102T030405Z", "2026-01-02T03:04:05.000000"],
    ["20260102030405", "2026-01-02T03:04:05.000000"],
    ["20260102", "2026-01-02T00:00:00.000000"],
    ["13/02/2026 03:04:05", "2026-02-13T03:04:05.000000"],
    ["02/13/2026 03:04:05 PM", "2026-02-13T15:04:05.000000"],
    ["01.02.2026 03:04:05", "2026-02-01T03:04:05.000000", { dayOrder: "day-first" }],
    ["01/02/2026 12:00 AM", "2026-01-02T00:00:00.000000", { dayOrder: "month-first" }],
    ["02-Jan-2026 03:04:05", "2026-01-02T03:04:05.000000"],
    ["Jan 2, 2026 03:04", "2026-01-02T03:04:00.000000"],
    ["1767323045", "2026-01-02T03:04:05.000000"],
    ["1767323045.000001", "2026-01-02T03:04:05.000001"],
    ["1767323045,000001", "2026-01-02T03:04:05.000001"],
    ["1767323045123", "2026-01-02T03:04:05.123000"],
    ["1767323045123456", "2026-01-02T03:04:05.123456"],
    ["1767323045123456789", "2026-01-02T03:04:05.123456"],
    ["86400", "1970-01-02T00:00:00.000000", { timeUnit: "s" }],
    ["2026-01-02 03:04:05", "2026-01-02T02:04:05.000000", { timeZone: "Europe/Berlin" }],
    ["2026-07-02 03:04:05", "2026-07-02T01:04:05.000000", { timeZone: "Europe/Berlin" }],
    ["2026-10-25 02:30:00", "2026-10-25T00:30:00.000000", { timeZone: "Europe/Berlin", dst: "earlier" }],
    ["2026-10-25 02:30:00", "2026-10-25T01:30:00.000000", { timeZone: "Europe/Berlin", dst: "later" }],
    ["2026-10-25 03:00:00", "2026-10-25T02:00:00.000000", { timeZone: "Europe/Berlin" }],
    ["2026-04-05 01:45:00", "2026-04-04T14:45:00.000000", { timeZone: "Australia/Lord_Howe", dst: "earlier" }],
  ])("%s is %s", async (cell, wanted, options) => expect(await one(cell, options)).toBe(wanted));

  test.each<[cell: string, why: RegExp, options?: CsvOptions]>([
    ["01/02/2026", /may be day\/month or month\/day: --day-first or --month-first/],
    ["01.02.2026 00:00", /--day-first or --month-first/],
    ["2026-02-30", /is no time/],
    ["2026-01-01T24:00:00", /is no time/],
    ["01/02/26", /is no time/],
    ["45292.5", /only from 1990 to 2100/],
    ["1.7040672E+12", /is no time/],
    ["2026-01-01 00:00 CET", /is no time/],
    ["soon", /is no time/],
    ["2026-01-01 00:00", /--time-zone: there is no time zone "Mars\/Base"/, { timeZone: "Mars/Base" }],
  ])("%s is refused: %s", (cell, why, options) => expect(one(cell, options)).rejects.toThrow(why));

  test.each([
    ["2026-03-29 02:30:00", /does not occur in Europe\/Berlin/],
    ["2026-10-25 02:30:00", /occurs twice in Europe\/Berlin: --dst earlier or --dst later/],
  ])("%s on the clocks of Berlin costs its row", async (cell, why) => {
    const { readings, losses } = await read(`time;value\n2026-01-01 00:00:00;1\n${cell};2\n`, {
      timeZone: "Europe/Berlin",
    });
    expect([readings.length, losses.length]).toEqual([1, 1]);
    expect(losses[0]).toMatch(why);
  });

  test("30 February and a time before 1970 cost their rows, and no other", async () => {
    const { readings, losses } = await read("time,value\n2026-01-01,1\n2026-02-30,2\n1901-01-01,3\n2026-01-02,4\n");
    expect(readings.map(([, value]) => value)).toEqual([1, 4]);
    expect(losses).toEqual([
      '3 time: time is "2026-02-30"; wanted a time on a day that exists',
      '4 time: time is "1901-01-01", which is before 1970',
    ]);
  });

  test("one ancient number costs its row; two units refuse the file, however late they come", async () => {
    const { losses } = await read("time,value\n1767323045,1\n0,2\n1767323046,3\n");
    expect(losses).toEqual(['3 time: time is "0"; wanted a time between 1990 and 2100 in seconds']);
    await expect(read("time,value\n1767323045,1\n1767323045000,2\n")).rejects.toThrow(
      /line 3: 1767323045000 counts milliseconds.*seconds: --time-unit/,
    );
    const long = `time,value\n${Array.from({ length: 1500 }, (_, i) => `${1_767_323_045 + i},1`).join("\n")}\n1767323045000,2\n`;
    await expect(read(long)).rejects.toThrow(/line 1502/);
    await expect(read("time_ms,value\n1767323045,1\n")).rejects.toThrow(/says milliseconds.*seconds since 1970/);
    expect(await times("time (ms),value\n1767323045000,1\n")).toEqual(["2026-01-02T03:04:05.000000"]);
  });

  test("times with and without a zone do not mix, unless the user names one", async () => {
    const text = "time,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01,2\n";
    await expect(read(text)).rejects.toThrow(/line 3.*names no zone.*--time-zone/);
    expect(await times(text, { timeZone: "UTC" })).toHaveLength(2);
    expect(await times("Time (Europe/Berlin);value\n2026-01-01 01:00;1\n")).toEqual(["2026-01-01T00:00:00.000000"]);
  });

  test("a later row that shows another order of day and month refuses the file", async () => {
    await expect(read("time,value\n13/02/2026,1\n02/13/2026,2\n")).rejects.toThrow(
      /line 3.*month-first, lines before it day-first/,
    );
  });
});

describe("encodings", () => {
  const text = "time;value (°C)\n2026-01-01;19,88\n";
  const wide = Buffer.from(text, "utf16le");
  test.each<[name: string, bytes: Uint8Array, options?: CsvOptions]>([
    ["UTF-8 with a mark", Buffer.from(`\ufeff${text}`)],
    ["UTF-16 with a mark", Buffer.from(`\ufeff${text}`, "utf16le")],
    ["UTF-16 of the other order", Buffer.from(`\ufeff${text}`, "utf16le").swap16()],
    ["UTF-16 without a mark", wide],
    ["Windows-1252, as the user says", Buffer.from(text, "latin1"), { encoding: "windows-1252" }],
  ])("%s is read", async (_name, bytes, options) => {
    expect((await read(bytes, options)).readings).toEqual([["2026-01-01T00:00:00.000000", 19.88, "", "°C"]]);
  });

  test("bytes that are not UTF-8 refuse the file with what to do", async () => {
    await expect(read(Buffer.from(text, "latin1"))).rejects.toThrow(/not UTF-8 throughout.*--encoding windows-1252/);
    await expect(read(text, { encoding: "klingon" })).rejects.toThrow(/no encoding "klingon": give .* windows-1252/);
  });
});
