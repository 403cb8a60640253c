/** Files in one request: each answer as a client of HTTP takes it, with the readings that are stored by then. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { request as open } from "node:http";
import { promisify } from "node:util";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { arrowOf } from "../../testing/columnar/arrow.ts";
import { parquetOf, type TestReading } from "../../testing/columnar/parquet.ts";
import { describeWith } from "../../testing/needs.ts";
import { type ProtocolApp, startProtocolApp } from "../../testing/protocol-app.ts";

let app: ProtocolApp;
beforeAll(async () => {
  app = await startProtocolApp();
});
afterAll(() => app?.stop());

const PATH = "/api/v1/sensors/data/bulk";
const CSV = "text/csv";
const LINES = "application/x-ndjson";
const START = Date.UTC(2026, 0, 5);
const at = (minute: number) => new Date(START + minute * 60_000).toISOString();

interface Sent {
  readonly type?: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly base?: string;
}

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  { type = CSV, query = {}, headers = {}, base = app.http }: Sent = {},
) {
  const response = await fetch(`${base}${PATH}?${new URLSearchParams(query)}`, {
    method: "POST",
    body,
    headers: { "content-type": type, ...app.bearer, ...headers },
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Answer };
}

interface Answer {
  readonly [name: string]: unknown;
  readonly detail: string;
  readonly refusals: readonly { readonly line: number; readonly reason: string; readonly message: string }[];
  readonly understood: Record<string, unknown>;
}

const values = async (sensorId: string) => (await app.readings(sensorId)).map(({ value }) => value);
const counts = (accepted: number, duplicate = 0, conflicting = 0, rejected = 0) => ({
  ...{ accepted, duplicate, conflicting, rejected },
});

describe("CSV", () => {
  it("is stored when it is answered, on both listeners, with what was understood", async () => {
    for (const [i, base] of [app.http, app.grpc].entries()) {
      const id = `csv-${i}`;
      const text = `sensor_id;time;value;unit\n${id};${at(0)};1,5;bar\n${id};${at(1)};2,5;bar\n${id};${at(2)};;bar\n`;
      const answer = await post(text, { base });
      expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      expect(answer.body).toMatchObject({ ...counts(2), late: 0, missing: 1, refusals: [] });
      expect(answer.body).toMatchObject({ sensors: 1, sensor_ids: [id], from: at(0), to: at(1) });
      expect(answer.body.understood).toMatchObject({
        ...{ format: "csv", delimiter: ";", decimal_mark: ",", encoding: "utf-8", time_columns: ["time"] },
        ...{ value_columns: ["value"], sensor_column: "sensor_id", unit_column: "unit", wide: false },
      });
      expect(await values(id)).toEqual([1.5, 2.5]);
      const [reading] = await app.readings(id);
      expect(reading).toMatchObject({ sensorType: "sensor", unit: "bar" });
      expect(Number(reading!.observedAt!.seconds) * 1000).toBe(START);
    }
  });

  it("takes what the file does not say from the query", async () => {
    const query = { sensor_id: "given", sensor_type: "pressure", unit: "kPa", location: "hall 3" };
    const options = { time_column: "when", value_column: "p", time_zone: "Europe/Berlin", day_first: "true" };
    const answer = await post("when,p,q\n01/02/2026 12:00,1,9\n", { query: { ...query, ...options } });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const [reading] = await app.readings("given");
    expect(reading).toMatchObject({ sensorType: "pressure", unit: "kPa", location: "hall 3", value: 1 });
    expect(Number(reading!.observedAt!.seconds) * 1000).toBe(Date.UTC(2026, 1, 1, 11));
  });

  it("gives rows times where the query says which", async () => {
    const body = "value\n1\n2\n";
    const query = { sensor_id: "untimed" };
    const refused = await post(body, { query });
    expect(refused.status).toBe(422);
    expect(refused.body.detail).toMatch(/no times: interval and start give them/);
    expect(await values("untimed")).toEqual([]);
    expect((await post(body, { query: { ...query, interval: "60", start: at(0) } })).body).toMatchObject(counts(2));
    expect(await values("untimed")).toEqual([1, 2]);
  });

  it.each([
    ["a date of two readings", `time,value\n01/02/2026,1\n`, /line 2: .*day_first=true or month_first=true decides/],
    ["a number of two readings", `time;value\n${at(0)};1,234\n`, /line 2: .*decimal=\. or decimal=, decides/],
    ["two columns of values", `time,a,b\n${at(0)},1,2\n`, /value_column chooses one, wide=true takes each/],
    ["no time", "a,b\n1,2\n", /time_column decides/],
    ["nothing", "", /holds no rows/],
    ["a spreadsheet", Buffer.from([0x50, 0x4b, 3, 4, 0, 0]), /spreadsheet/],
  ])("refuses %s, names the parameter that decides, and stores nothing", async (_, body, why) => {
    const answer = await post(body, { query: { sensor_id: "ambiguous" } });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ ...counts(0), detail: expect.stringMatching(why) });
    expect(answer.body.detail).not.toContain("--");
    expect(await values("ambiguous")).toEqual([]);
  });

  it("does not guess the sensor", async () => {
    const text = `sensor_id,time,value\na,${at(0)},1\n`;
    expect((await post(text, { query: { sensor_id: "b" } })).body.detail).toMatch(/leave sensor_id out/);
    expect((await post(`time,value\n${at(0)},1\n`)).body.detail).toMatch(/sensor_id says which it is/);
  });

  it("names lines that are refused, stores the others, and says that they stay so", async () => {
    const text = `sensor_id,time,value\npart,${at(0)},1\npart,${at(1)},x\npart,2026-02-30T00:00:00Z,3\npart,2999-01-01T00:00:00Z,4\n,${at(4)},5\npart,${at(5)},6\n`;
    const answer = await post(text);
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject(counts(2, 0, 0, 4));
    expect(answer.body.refusals.map(({ line, reason }) => [line, reason])).toEqual([
      [3, "unreadable"],
      [4, "unreadable"],
      [5, "future"],
      [6, "unreadable"],
    ]);
    expect(answer.body.detail).toMatch(/4 readings were refused; the others are stored and stay so/);
    const none = await post(`sensor_id,time,value\npart,${at(1)},x\n`);
    expect(none.body.detail).toBe("Nothing was stored: 1 reading was refused.");
    expect(await values("part")).toEqual([1, 6]);
  });

  it("stores nothing twice, and keeps the first of two values", async () => {
    const text = (value: number) => `sensor_id,time,value\nonce,${at(0)},1\nonce,${at(1)},${value}\n`;
    expect((await post(text(2))).body).toMatchObject(counts(2));
    const again = await post(text(2));
    expect([again.status, again.body]).toMatchObject([200, counts(0, 2)]);
    const other = await post(text(3));
    expect([other.status, other.body]).toMatchObject([422, counts(0, 1, 1)]);
    expect(other.body.refusals).toMatchObject([{ line: 3, reason: "conflicting" }]);
    expect(await values("once")).toEqual([1, 2]);
  });

  it("has the line of each refusal, however the readings are put together, and the first hundred of them", async () => {
    const rows = Array.from({ length: 25_000 }, (_, i) => {
      const sensor = `many-${i % 7}`;
      return `${sensor},${i % 100 === 17 ? "2999-01-01T00:00:00Z" : at(i)},${i}`;
    });
    const answer = await post(`sensor_id,time,value\n${rows.join("\n")}`);
    expect(answer.body).toMatchObject(counts(24_750, 0, 0, 250));
    expect(answer.body.refusals.map(({ line }) => line)).toEqual(Array.from({ length: 100 }, (_, i) => i * 100 + 19));
  });

  it("ends where a later line shows that the file was understood wrongly, and says what is stored", async () => {
    const rows = Array.from({ length: 2_000 }, (_, i) => `${at(i)},${i}`);
    const answer = await post(`time,value\n${rows.join("\n")}\n2026-03-01 00:00:00,1\n`, {
      query: { sensor_id: "later" },
    });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ ...counts(2_000), error: { line: 2_002 } });
    expect(answer.body.detail).toMatch(
      /ended early, after 2000 readings that are stored: line 2002: .*time_zone decides/,
    );
  });

  it("says how many readings are late: they are stored, and not judged", async () => {
    const rows = Array.from({ length: 50 }, (_, i) => `reversed,${at(500 - 10 * i)},${i}`);
    const { body } = await post(`sensor_id,time,value\n${rows.join("\n")}`);
    expect(body).toMatchObject(counts(50));
    expect(body.late).toBeGreaterThan(0);
  });

  it("takes wide files", async () => {
    const answer = await post(`time,wide-a [bar],wide-b\n${at(0)},1,2\n${at(1)},3,\n`, { query: { wide: "true" } });
    expect(answer.body).toMatchObject({ ...counts(3), missing: 1, understood: { wide: true } });
    expect([await values("wide-a"), await values("wide-b")]).toEqual([[1, 3], [2]]);
  });
});

describe("JSON lines", () => {
  const line = (fields: object) => `${JSON.stringify(fields)}\n`;
  const reading = (sensor_id: string, minute: number, more: object = {}) =>
    line({ sensor_id, sensor_type: "t", value: minute, unit: "C", observed_at: at(minute), ...more });

  it("are stored with all that they say", async () => {
    const metadata = { batch: "7", deep: { a: [1, null] } };
    const body =
      reading("jl", 0) + reading("jl", 1, { location: "roof", metadata }) + reading("jl", 2, { value: "2.5" });
    const answer = await post(body, { type: LINES });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    expect(answer.body).toMatchObject({ ...counts(3), understood: { format: "jsonl", time_zone: "UTC" } });
    const stored = await app.readings("jl");
    expect(stored.map(({ value }) => value)).toEqual([0, 1, 2.5]);
    expect(stored[1]).toMatchObject({ location: "roof", metadata });
  });

  it.each([
    [{ sensorid: "x" }, /there is no field "sensorid"; did you mean sensor_id\?/],
    [{ value: null }, /value is missing/],
    [{ value: "1 bar" }, /value is "1 bar": give a finite number/],
    [{ observed_at: undefined }, /observed_at is missing/],
    [{ observed_at: 1_767_571_200 }, /give ISO 8601, or a number .* time_unit/],
    [{ observed_at: "yesterday" }, /observed_at is "yesterday"; wanted a time/],
    [{ timestamp: at(9) }, /observed_at and timestamp differ/],
    [{ unit: "" }, /unit is missing/],
    [{ sensor_id: 5 }, /sensor_id is 5: give text/],
    [{ metadata: [] }, /metadata is a list of 0/],
  ])("with %j are refused by line and reason, the others stored", async (fields, why) => {
    const body = reading("jl-bad", 0) + reading("jl-bad", 1, fields);
    const answer = await post(body, { type: LINES });
    expect(answer.status).toBe(422);
    expect(answer.body).toMatchObject({ rejected: 1, refusals: [{ line: 2, message: expect.stringMatching(why) }] });
    expect(await values("jl-bad")).toEqual([0]);
  });

  it("with a field twice, or cut off, are refused", async () => {
    const twice = reading("jl-twice", 1).replace("}", ',"value":3}');
    const answer = await post(`${reading("jl-twice", 0)}${twice}{"sensor_id":`, { type: LINES });
    expect(answer.body.refusals.map((each) => [each.line, each.message])).toEqual([
      [2, "a field stands twice in the object"],
      [3, 'wanted a JSON object with one reading, got "{\\"sensor_id\\":"'],
    ]);
  });

  it("that are none refuse the body at its first line", async () => {
    for (const body of ["[\n", "time,value\n1,2\n", "[{}]"]) {
      const answer = await post(body, { type: LINES });
      expect(answer.status).toBe(422);
      expect(answer.body).toMatchObject({ ...counts(0), error: { line: 1 } });
    }
    expect((await post("\n\n", { type: LINES })).body.detail).toMatch(/holds no lines/);
  });

  it("take what all lines have in common, and the unit of numbers, from the query", async () => {
    const query = { sensor_id: "jl-query", sensor_type: "t", unit: "C", time_unit: "ms", format: "jsonl" };
    const body = line({ value: 1, timestamp: START }) + line({ value: 2, timestamp: START + 1, unit: "F" });
    const answer = await post(body, { type: "application/octet-stream", query });
    expect(answer.body).toMatchObject({ ...counts(1, 0, 0, 1), refusals: [{ line: 2 }] });
    expect(await values("jl-query")).toEqual([1]);
  });

  it("with metadata of the greatest size are stored in parts that the log takes", async () => {
    const metadata = { text: "m".repeat(15_000) };
    const body = Array.from({ length: 200 }, (_, i) => reading("jl-heavy", i, { metadata })).join("");
    expect((await post(body, { type: LINES })).body).toMatchObject(counts(200));
  });
});

describe("Parquet and Arrow", () => {
  const PARQUET = "application/vnd.apache.parquet";
  const STREAM = "application/vnd.apache.arrow.stream";
  const readings = (sensorId: string, count: number) =>
    Array.from({ length: count }, (_, i) => ({ sensorId, timeUs: (START + i * 60_000) * 1000, value: i + 0.5 }));
  const FORMS = [
    ["parquet", PARQUET, parquetOf],
    ["arrow", STREAM, (all) => arrowOf(all)],
    ["arrow-file", "application/vnd.apache.arrow.file", (all) => arrowOf(all, { form: "file" })],
  ] as const satisfies readonly (readonly [
    string,
    string,
    (all: readonly TestReading[]) => Buffer<ArrayBuffer> | Promise<Buffer<ArrayBuffer>>,
  ])[];

  it.each(FORMS)("as %s are stored when they are answered, and not twice", async (name, type, write) => {
    for (const base of [app.http, app.grpc]) {
      const id = `${name}-${base === app.http ? "http" : "grpc"}`;
      const body = await write(readings(id, 500));
      const query = { unit: "bar", sensor_type: "pressure" };
      const answer = await post(body, { type, query, base });
      expect([answer.status, answer.body]).toMatchObject([200, { ...counts(500), sensor_ids: [id], from: at(0) }]);
      expect(answer.body.understood).toMatchObject({
        ...{ format: name.split("-")[0], time_columns: ["time"], time: "with their own zone" },
        ...{ value_columns: ["value"], sensor_column: "sensor_id", wide: false },
      });
      expect(await values(id)).toEqual(readings(id, 500).map(({ value }) => value));
      expect((await app.readings(id))[0]).toMatchObject({ unit: "bar", sensorType: "pressure" });
      expect((await post(body, { type, query, base })).body).toMatchObject(counts(0, 500));
    }
  });

  it.each(FORMS)("as %s are refused by row, and the others stored", async (name, type, write) => {
    const id = `${name}-refused`;
    const all = readings(id, 5).map((each, i) => (i === 2 ? { ...each, value: Number.POSITIVE_INFINITY } : each));
    const future = { sensorId: id, timeUs: Date.UTC(2999, 0, 1) * 1000, value: 1 };
    const answer = await post(await write([...all, future]), { type });
    expect([answer.status, answer.body]).toMatchObject([422, counts(4, 0, 0, 2)]);
    expect(answer.body.refusals).toMatchObject([
      { line: 3, reason: "unreadable", message: "value is Infinity; wanted a finite number" },
      { line: 6, reason: "future" },
    ]);
    expect(await values(id)).toEqual([0.5, 1.5, 3.5, 4.5]);
  });

  it.each(FORMS)("as %s are shown by a dry run, which stores nothing", async (name, type, write) => {
    const few = await post(await write(readings(`${name}-dry`, 20)), { type, query: { dry_run: "true" } });
    expect(few.body).toMatchObject({
      dry_run: true,
      whole: true,
      readings: 20,
      sensors: 1,
      out_of_order: 0,
      rows: null,
    });
    expect(few.body.first).toMatchObject([{ line: 1, observed_at: at(0), value: 0.5 }, {}, {}, {}, {}]);
    const many = await post(await write(readings(`${name}-dry`, 1_001)), { type, query: { dry_run: "true" } });
    expect(many.body).toMatchObject({ whole: false, readings: 1_000 });
    expect(await values(`${name}-dry`)).toEqual([]);
  });

  it("may be compressed on their way, and cut off in it", async () => {
    const body = gzipSync(parquetOf(readings("parquet-zip", 100)));
    const headers = { "content-encoding": "gzip" };
    expect((await post(body, { type: PARQUET, headers })).body).toMatchObject(counts(100));
    expect((await post(body.subarray(0, 200), { type: PARQUET, headers })).status).toBe(400);
  });

  it("that are cut off have what came before stored, and say so", async () => {
    const body = await arrowOf(readings("arrow-cut", 1_000), { batchRows: 300 });
    const cut = await post(body.subarray(0, body.length - 2_000), { type: STREAM });
    expect([cut.status, cut.body]).toMatchObject([422, counts(900)]);
    expect(cut.body.detail).toMatch(
      /ended early, after 900 readings that are stored: the file is damaged or was cut off/,
    );
    const whole = await post(body, { type: STREAM });
    expect(whole.body).toMatchObject(counts(100, 900));
  });

  it.each([
    ["CSV", PARQUET, "sensor_id,time,value\n", {}, 422, /should be Parquet, and begins as no such file does/],
    ["Parquet", STREAM, parquetOf(readings("x", 1)), {}, 422, /should be an Arrow stream, and is Parquet/],
    ["Parquet", CSV, parquetOf(readings("x", 1)), {}, 422, /is a Parquet file, and not CSV/],
    ["nothing", PARQUET, "", {}, 422, /should be Parquet/],
    [
      "Parquet",
      PARQUET,
      parquetOf(readings("x", 1)),
      { delimiter: ";" },
      422,
      /delimiter is of CSV, and the body is Parquet/,
    ],
    ["Parquet", PARQUET, parquetOf(readings("x", 1)), { sensor_id: "b" }, 422, /leave sensor_id out/],
    ["Parquet", PARQUET, parquetOf(readings("x", 1)), { value_column: "v" }, 422, /value_column is "v"; the file has/],
  ] as const)("that are %s as %s are refused", async (_, type, body, query, status, why) => {
    const answer = await post(body, { type, query });
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(why)]);
    expect(await values("x")).toEqual([]);
  });
});

describe("uploads of Parquet that stand still", () => {
  it("leave places to other callers, and give them back when their callers go", async () => {
    const type = "application/vnd.apache.parquet";
    const all = [{ sensorId: "still", timeUs: START * 1000, value: 1 }];
    const body = parquetOf(all);
    const { hostname, port } = new URL(app.http);
    // One more than a caller may have, which is answered at once.
    const slow = Array.from({ length: 3 }, () =>
      open({ method: "POST", hostname, port, path: PATH, headers: { "content-type": type, ...app.bearer } }),
    );
    const refused = Promise.race(slow.map((request) => once(request, "response")));
    for (const request of slow) {
      request.on("error", () => {});
      request.write(body.subarray(0, 100));
    }
    const [{ statusCode }] = await refused;
    expect(statusCode).toBe(429);
    const status = async (bearer: object) => (await post(body, { type, headers: { ...bearer } })).status;
    expect(await status(app.bearer)).toBe(429);
    const admin = createClient(AdminService, createGrpcTransport({ baseUrl: app.grpc }));
    const token = { name: "other", scopes: [Scope.INGEST] };
    const { secret } = await admin.createToken({ token }, { headers: app.bearer });
    expect(await status({ authorization: `Bearer ${secret}` })).toBe(200);
    for (const request of slow) request.destroy();
    await expect.poll(() => status(app.bearer)).toBe(200);
  });
});

describe("the request", () => {
  const text = (id: string) => `sensor_id,time,value\n${id},${at(0)},1\n`;

  it("may be compressed, and is held to a bound of what it unpacks to", async () => {
    const gzip = { "content-encoding": "gzip" };
    expect((await post(gzipSync(text("zip")), { headers: gzip })).body).toMatchObject(counts(1));
    const br = { "content-encoding": "br" };
    expect((await post(brotliCompressSync(text("br")), { headers: br })).body).toMatchObject(counts(1));
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, "\n"));
    expect((await post(bomb, { headers: gzip })).status).toBe(413);
    const none = await post(text("nozip"), { headers: gzip });
    expect([none.status, none.body.detail]).toEqual([400, expect.stringContaining("is not gzip")]);
    expect((await post(text("x"), { headers: { "content-encoding": "zstd" } })).status).toBe(415);
  });

  it("that is cut off within its encoding is answered with what is stored", async () => {
    const rows = Array.from({ length: 20_000 }, (_, i) => `cut,${at(i)},${Math.sin(i)}`).join("\n");
    const packed = gzipSync(`sensor_id,time,value\n${rows}`);
    const answer = await post(packed.subarray(0, packed.length - 1000), { headers: { "content-encoding": "gzip" } });
    expect(answer.status).toBe(400);
    expect(answer.body.accepted).toBeGreaterThan(10_000);
    expect(answer.body.detail).toMatch(/ended early, .* was cut off/);
  });

  it.each([
    [{ query: { timecolumn: "a" } }, 422, /no parameter "timecolumn"; did you mean time_column\?/],
    [{ query: { time_zone: "Mars/Base" } }, 422, /time_zone: there is no time zone "Mars\/Base"; wanted a name/],
    [{ query: { dst: "never" } }, 422, /dst is "never": give/],
    [{ query: { day_first: "1", month_first: "1" } }, 422, /exclude each other/],
    [{ query: { interval: "60" } }, 422, /go together/],
    [{ query: { delimiter: "ab" } }, 422, /delimiter/],
    [{ query: { wide: "true" }, type: LINES }, 422, /wide is of CSV/],
    [{ type: "application/json" }, 415, /send text\/csv, application\/x-ndjson, application\/vnd.apache.parquet/],
    [{ headers: { authorization: "" } }, 401, /./],
  ])("with %j is refused", async (sent, status, why) => {
    const answer = await post(text("refused"), sent);
    expect([answer.status, answer.body.detail]).toEqual([status, expect.stringMatching(why)]);
    expect(await values("refused")).toEqual([]);
  });

  it("takes POST alone", async () => {
    for (const base of [app.http, app.grpc]) {
      const answer = await fetch(base + PATH, { headers: app.bearer });
      expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    }
  });

  it("whose caller goes in the middle leaves nothing under way", async () => {
    const url = new URL(app.grpc + PATH);
    const headers = { "content-type": CSV, ...app.bearer };
    // More than may be under way at once.
    for (let i = 0; i < 40; i++) {
      const request = open({ method: "POST", host: url.hostname, port: url.port, path: url.pathname, headers });
      request.on("error", () => {});
      await new Promise((resolve) => request.write(`sensor_id,time,value\ngone,${at(i)},`, resolve));
      await new Promise((resolve) => request.once("close", resolve).destroy());
    }
    await expect.poll(async () => (await post(text("after-gone"))).status).toBe(200);
    expect(await values("gone")).toEqual([]);
  });
});

describe("a dry run", () => {
  it("says what would be understood, and stores nothing", async () => {
    const answer = await post(`sensor,time,value\ndry,${at(0)},1\ndry,${at(1)},x\n`, { query: { dry_run: "true" } });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      ...{ dry_run: true, whole: true, readings: 1, rejected: 1, sensors: 1, refusals: [{ line: 3 }] },
      first: [{ line: 2, sensor_id: "dry", observed_at: at(0), value: 1, unit: "1" }],
      understood: { sensor_column: "sensor", delimiter: "," },
    });
    expect(await values("dry")).toEqual([]);
  });

  it("looks at the beginning of a large body, whole rows of it", async () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => `dry-large,${at(i)},"1\n2",${i}`).join("\n");
    const answer = await post(`sensor_id,time,note,value\n${rows}`, { query: { dry_run: "1" } });
    expect(answer.body).toMatchObject({ whole: false, rejected: 0 });
    expect(answer.body.readings).toBeGreaterThan(1_000);
    expect(answer.body.readings).toBeLessThan(2_000);
  });

  it("says which parameter decides", async () => {
    const answer = await post("time,value\n01/02/2026,1\n", { query: { dry_run: "1", sensor_id: "a" } });
    expect([answer.status, answer.body.detail]).toEqual([
      422,
      expect.stringMatching(/day_first=true or month_first=true/),
    ]);
    expect(answer.body).toMatchObject({ error: { line: 2, parameters: ["day_first", "month_first"] } });
    const unnamed = await post(`time,a,b\n${at(0)},1,2\n`, { query: { dry_run: "1" } });
    expect(unnamed.body).toMatchObject({ error: { parameters: ["value_column", "wide"] } });
    const nobody = await post(`time,value\n${at(0)},1\n`, { query: { dry_run: "1" } });
    expect(nobody.body).toMatchObject({ error: { parameters: ["sensor_id", "sensor_column"] } });
  });

  it("shows the first rows as they stand, also where the columns are not understood, and counts those out of order", async () => {
    const answer = await post("x;y\n1;2\n", { query: { dry_run: "1" } });
    const rows = [
      ["x", "y"],
      ["1", "2"],
    ];
    expect([answer.status, answer.body]).toMatchObject([422, { understood: null, rows }]);
    const text = `sensor_id,time,value\na,${at(2)},1\nb,${at(1)},1\na,${at(1)},1\n`;
    const ordered = await post(text, { query: { dry_run: "1" } });
    expect(ordered.body).toMatchObject({ out_of_order: 1, sensor_ids: ["a", "b"] });
    const spreadsheet = await post(Buffer.from([0x50, 0x4b, 3, 4, 0, 0]), { query: { dry_run: "1" } });
    expect(spreadsheet.body).toMatchObject({ rows: null, error: { message: expect.stringMatching(/spreadsheet/) } });
  });
});

describe("a caller with limits", () => {
  let limited: ProtocolApp;
  beforeAll(async () => {
    limited = await startProtocolApp({ LIMIT_READINGS_PER_SECOND: "20000", LIMIT_SENSORS: "3" });
  });
  afterAll(() => limited?.stop());

  it("is slowed by that of readings, where other protocols refuse as many at once", async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `slowed-${i % 2},${at(i)},${i}`);
    const answer = await post(`sensor_id,time,value\n${rows.join("\n")}`, { base: limited.http });
    expect([answer.status, answer.body]).toMatchObject([200, counts(50_000)]);
  });

  it("is refused by that of sensors, and keeps what was stored before", async () => {
    const rows = Array.from({ length: 5 }, (_, i) => `beyond-${i},${at(i)},${i}`);
    const answer = await post(`sensor_id,time,value\n${rows.join("\n")}`, { base: limited.http });
    expect([answer.status, answer.body.detail]).toEqual([429, "Over the limit of 3 sensors"]);
    expect(await limited.readings("slowed-0")).not.toEqual([]);
  });
});

describeWith(["curl"], "curl", () => {
  it("sends a file, and a pipe without a length", async () => {
    const run = promisify(execFile);
    const file = `printf 'sensor_id,time,value\\ncurl,%s,1\\n' ${at(0)}`;
    const send = `curl -sS -T - -X POST -H 'authorization: ${app.bearer.authorization}' -H 'content-type: text/csv' ${app.http}${PATH}`;
    const { stdout } = await run("sh", ["-c", `${file} | ${send}`]);
    expect(JSON.parse(stdout)).toMatchObject(counts(1));
  });
});
