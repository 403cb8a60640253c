import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openCsv } from "./csv.ts";
import { keysOf, openJsonLines } from "./json-lines.ts";
import { type BulkOptions, bulkOptions, type Format } from "./parameters.ts";
import { asParameters } from "./rows.ts";
import { type BulkPoint, UploadProblem } from "./source.ts";

async function* pieces(bytes: Uint8Array, cuts: readonly number[]) {
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const to = Math.min(cut, bytes.length);
    yield bytes.subarray(from, to);
    from = to;
  }
  yield bytes.subarray(from);
}

interface Read {
  readonly points: readonly (Omit<BulkPoint, "series"> & { readonly sensorId: string })[];
  readonly refused: readonly (readonly [line: number, message: string])[];
  readonly problem: string | undefined;
}

/** All that is read of a body that comes in these pieces. */
async function read(text: string | Uint8Array, format: Format, cuts: readonly number[] = [], csv = {}): Promise<Read> {
  const options: BulkOptions = { format, dryRun: false, csv };
  const points: Read["points"][number][] = [];
  const refused: (readonly [number, string])[] = [];
  const refuse = (line: number, message: string) => refused.push([line, message]);
  const body = pieces(typeof text === "string" ? Buffer.from(text) : text, cuts);
  try {
    const source = format === "csv" ? await openCsv(body, options, refuse) : openJsonLines(body, options, refuse);
    for await (const some of source.points())
      points.push(...some.map(({ series, ...point }) => ({ ...point, sensorId: series.sensorId })));
    return { points, refused, problem: undefined };
  } catch (error) {
    if (!(error instanceof UploadProblem)) throw error;
    return { points, refused, problem: error.message };
  }
}

const cuts = fc.array(fc.nat(2_000), { maxLength: 20 });
const sensorId = fc.stringMatching(/^[a-zé🔥][a-z0-9 é🔥]{0,8}[a-z0-9é🔥]$/u);
const timeUs = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1e6);
/** Written as texts, which do not tell −0 from 0. */
const value = fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
const readings = fc.array(fc.record({ sensorId, timeUs, value }), { minLength: 1, maxLength: 30 });

describe("JSON lines", () => {
  const line = (each: { sensorId: string; timeUs: number; value: number }, end: string) =>
    JSON.stringify({
      ...{ sensor_id: each.sensorId, sensor_type: "t", unit: "C", value: each.value },
      observed_at: new Date(each.timeUs / 1000).toISOString(),
    }) + end;

  it("are read as they were written, wherever they are cut into pieces", () =>
    fc.assert(
      fc.asyncProperty(readings, cuts, fc.constantFrom("\n", "\r\n"), async (all, at, end) => {
        const { points, refused, problem } = await read(all.map((each) => line(each, end)).join(""), "jsonl", at);
        expect([refused, problem]).toEqual([[], undefined]);
        expect(points).toEqual(all.map((each, i) => ({ line: i + 1, ...each, value: each.value })));
      }),
    ));

  it("are each a reading or refused, whatever stands in them", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.json(),
            fc.string(),
            fc.json().map((json) => `{"sensor_id":"a","value":${json}}`),
          ),
          { maxLength: 20 },
        ),
        cuts,
        async (some, at) => {
          const lines = ['{"sensor_id":1}', ...some.map((text) => text.replace(/[\n\0]/g, ""))];
          const { points, refused, problem } = await read(lines.join("\n"), "jsonl", at);
          const filled = lines.flatMap((text, i) => (text.trim() === "" ? [] : [i + 1]));
          expect(problem).toBeUndefined();
          expect([...points.map((point) => point.line), ...refused.map(([at]) => at)].sort((a, b) => a - b)).toEqual(
            filled,
          );
        },
      ),
    ));

  it("that never end are refused in the memory of one", async () => {
    const good = '{"sensor_id":"a","sensor_type":"t","unit":"C","value":1,"observed_at":"2026-01-01T00:00:00Z"}';
    const { points, refused } = await read(`${good}\n${"x".repeat(1_000_000)}\n${good}`, "jsonl", [200_000, 500_000]);
    expect(points.map((point) => point.line)).toEqual([1, 3]);
    expect(refused).toEqual([[2, "the line is longer than 131072 characters"]]);
  });

  it("are counted by their outermost keys", () =>
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        expect(keysOf(JSON.stringify(object))).toBe(Object.keys(object).length);
      }),
    ));

  it.each([
    ["s", 1_767_571_200.123456, 1_767_571_200_123_456],
    ["ms", "1767571200123.5", 1_767_571_200_123_500],
    ["ns", "1767571200123456789", 1_767_571_200_123_456],
  ] as const)("count %s where the query says so", async (timeUnit, timestamp, us) => {
    const text = JSON.stringify({ sensor_id: "a", sensor_type: "t", unit: "C", value: 1, timestamp });
    const { points, refused } = await read(text, "jsonl", [], { timeUnit });
    expect([points.map((point) => point.timeUs), refused]).toEqual([[us], []]);
  });

  it("do not take numbers that have lost digits", async () => {
    const text = '{"sensor_id":"a","sensor_type":"t","unit":"C","value":1,"timestamp":1767571200123456789}';
    const { refused } = await read(text, "jsonl", [], { timeUnit: "ns" });
    expect(refused).toEqual([[1, expect.stringContaining("of more than 15 digits as text")]]);
  });
});

describe("CSV", () => {
  const row = (each: { sensorId: string; timeUs: number; value: number }) =>
    `${each.sensorId},${new Date(each.timeUs / 1000).toISOString()},${each.value}`;

  it("is read as it was written, wherever it is cut into pieces", () =>
    fc.assert(
      fc.asyncProperty(readings, cuts, async (all, at) => {
        const { points, refused, problem } = await read(`sensor_id,time,value\n${all.map(row).join("\n")}`, "csv", at);
        expect([refused, problem]).toEqual([[], undefined]);
        expect(points).toEqual(all.map((each, i) => ({ line: i + 2, ...each })));
      }),
    ));

  it("of any bytes is understood or refused, the same in any pieces", () =>
    fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          fc.string().map((text) => Buffer.from(text)),
        ),
        cuts,
        async (bytes, at) => {
          const head = Buffer.from("sensor_id,time,value\na,2026-01-01T00:00:00Z,1\n");
          const body = Buffer.concat([head, bytes]);
          expect(await read(body, "csv", at)).toEqual(await read(body, "csv"));
        },
      ),
    ));
});

describe("messages", () => {
  it("name the parameters of the route in the place of options, and leave alone what is quoted", () => {
    const message = 'line 2: "--wide \\" --dst" is a or b: --decimal . or --decimal , decides, or --day-first, --unit.';
    expect(asParameters(message)).toBe(
      'line 2: "--wide \\" --dst" is a or b: decimal=. or decimal=, decides, or day_first=true, unit.',
    );
    expect(asParameters("--time-unit s, ms, us or ns takes any; --wide takes each")).toBe(
      "time_unit=s, ms, us or ns takes any; wide=true takes each",
    );
  });
});

describe("the query", () => {
  it("is read or refused with a status", () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom("format", "dry_run", "wide", "interval", "start", "dst", "unit", "x"), fc.string()),
        ),
        (pairs) => {
          try {
            bulkOptions(new URLSearchParams(pairs), new Headers({ "content-type": "text/csv; charset=utf-8" }));
          } catch (error) {
            expect([415, 422]).toContain((error as { status?: number }).status);
          }
        },
      ),
    ));

  it("takes the encoding from the content type, and tabs from theirs", () => {
    const of = (type: string) => bulkOptions(new URLSearchParams(), new Headers({ "content-type": type })).csv;
    expect(of('Text/CSV; charset="windows-1252"')).toMatchObject({ encoding: "windows-1252", delimiter: undefined });
    expect(of("text/tab-separated-values")).toMatchObject({ delimiter: "\t" });
  });
});
