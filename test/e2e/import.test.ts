/** Coming from the predecessor: its tables and its exports, into the real platform. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Float64, Table, tableToIPC, Utf8, vectorFromArray } from "apache-arrow";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseInstant } from "../../formats/time.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { type CliRun, runNode } from "../../testing/cli.ts";
import { doubles, longs, type ParquetColumn, parquetFile, strings } from "../../testing/columnar/parquet.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { allAlerts, allReadings, withoutId } from "../../testing/readings.ts";

const main = join(import.meta.dirname, "../../cli/main.ts");
let platform: Platform;
let folder: string;
let number = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "telltale-imported-"));
  platform = await startPlatform();
});
afterAll(async () => {
  await platform?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** In a folder of its own state, unless one is named. */
function telltaleImport(
  source: string,
  state = String(number++),
  ...more: string[]
): CliRun & { refused(): Refused[] } {
  const refused = join(folder, `${state}.refused`);
  const files = ["--state", join(folder, `${state}.json`), "--refused", refused];
  const report = ["--alerts-report", join(folder, `${state}.csv`)];
  const run = runNode([main, "import", source, "--url", platform.grpc, ...files, ...report, ...more]);
  const lines = () => readFileSync(refused, "utf8").trimEnd().split("\n");
  return { ...run, refused: () => lines().map((line) => JSON.parse(line)) };
}

interface Refused {
  readonly where: string;
  readonly column: string;
  readonly wanted: string;
}

interface Old {
  readonly id: number;
  readonly sensor_id: string;
  readonly sensor_type: string;
  readonly timestamp: string;
  readonly value: number;
  readonly unit: string;
  readonly location: string | null;
  readonly is_anomaly: boolean;
  readonly anomaly_score: number;
}

/** A reading a minute of each sensor, with a jump near the end; newest first, as the predecessor's REST answers. */
function history(sensors: readonly string[], minutes: number): Old[] {
  const rows: Old[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    for (const sensor_id of sensors) {
      const jump = minute >= minutes - 3 ? 100 : 0;
      rows.push({
        id: rows.length + 1,
        sensor_id,
        sensor_type: "temperature",
        timestamp: `${new Date(1_600_000_000_000 + minute * 60_000).toISOString().replace("Z", "123+00:00")}`,
        value: Number((20 + Math.sin(minute * 1.7) + jump).toFixed(3)),
        unit: "C",
        location: minute % 2 === 0 ? null : "hall, 1",
        is_anomaly: false,
        anomaly_score: 0,
      });
    }
  }
  return rows.reverse();
}

function parquetExport(rows: readonly Old[]): Buffer {
  const text = (name: "sensor_id" | "sensor_type" | "unit" | "location"): ParquetColumn => ({
    ...{ name, type: "bytes", converted: 0 },
    pages: [strings(rows.map((row) => row[name] ?? ""))],
  });
  const times = longs(rows.map(({ timestamp }) => BigInt(parseInstant(timestamp))));
  const time: ParquetColumn = { name: "timestamp", type: "int64", converted: 10, pages: [times] };
  const value: ParquetColumn = { name: "value", type: "double", pages: [doubles(rows.map((row) => row.value))] };
  const columns = [text("sensor_id"), text("sensor_type"), time, value, text("unit"), text("location")];
  return parquetFile({ rows: rows.length, columns });
}

function arrowExport(rows: readonly Old[]): Uint8Array {
  const text = (name: "sensor_id" | "sensor_type" | "unit" | "location" | "timestamp") =>
    vectorFromArray(
      rows.map((row) => row[name]),
      new Utf8(),
    );
  const value = vectorFromArray(
    rows.map((row) => row.value),
    new Float64(),
  );
  // GraphQL's names.
  const ids = { sensorId: text("sensor_id"), sensorType: text("sensor_type"), timestamp: text("timestamp") };
  return tableToIPC(new Table({ ...ids, value, unit: text("unit"), location: text("location") }), "file");
}

const accepted = (n: number) => `${n} sent = ${n} accepted + 0 duplicate + 0 conflicting + 0 rejected (0 late)`;
const duplicate = (n: number) => `${n} sent = 0 accepted + ${n} duplicate + 0 conflicting + 0 rejected (0 late)`;

describe("an export as a file", () => {
  test("newest first is stored and judged in the order of time; again, all of it is duplicate; every form says the same", async () => {
    const rows = history(["file-1", "file-2"], 100);
    const json = join(folder, "export.json");
    writeFileSync(json, JSON.stringify(rows, null, 1));
    const first = telltaleImport(json, "forms");
    expect(await first.ended, first.stderr()).toBe(0);
    expect(first.stdout()).toContain(accepted(200));
    const stored = await allReadings(platform.grpc, "file-1");
    expect(stored.map(({ value }) => value)).toEqual(rows.filter((r) => r.sensor_id === "file-1").map((r) => r.value));
    expect(stored[0]!.observedAt!.nanos % 1_000_000).toBe(123_000);
    expect(stored[0]!.isAnomaly).toBe(true);
    expect(await allAlerts(platform.grpc, "file-1")).toHaveLength(1);

    const rest = telltaleImport(json, "forms");
    expect(await rest.ended).toBe(0);
    expect(rest.stderr()).toContain("200 rows were settled before; 0 are left.");
    const again = telltaleImport(json, "forms", "--again");
    expect(await again.ended).toBe(0);
    expect(again.stdout()).toContain(duplicate(200));

    const lines = join(folder, "export.ndjson");
    // GraphQL's names, and lines in another order.
    writeFileSync(
      lines,
      rows
        .map(
          ({ sensor_id, sensor_type, ...more }) =>
            `${JSON.stringify({ ...more, sensorId: sensor_id, sensorType: sensor_type })}\n`,
        )
        .join(""),
    );
    const csv = join(folder, "export.csv");
    const cells = (r: Old) => [
      r.id,
      r.sensor_id,
      r.sensor_type,
      r.timestamp.replace("T", " "),
      r.value,
      r.unit,
      r.location === null ? "" : `"${r.location}"`,
    ];
    writeFileSync(
      csv,
      `id,sensor_id,sensor_type,timestamp,value,unit,location\n${rows.map((r) => cells(r).join(",")).join("\n")}\n`,
    );
    const tables = [join(folder, "export.parquet"), join(folder, "export.feather")] as const;
    writeFileSync(tables[0], parquetExport(rows));
    writeFileSync(tables[1], arrowExport(rows));
    for (const file of [lines, csv, ...tables]) {
      const run = telltaleImport(file);
      expect(await run.ended, run.stderr()).toBe(0);
      expect(run.stdout()).toContain(duplicate(200));
    }
    expect((await allReadings(platform.grpc, "file-1")).map(withoutId)).toEqual(stored.map(withoutId));
  });

  test("of Parquet names its bad rows by number, and is refused with the columns that it lacks", async () => {
    const rows = history(["table"], 3).map((row, i) => (i === 1 ? { ...row, value: Number.NaN } : row));
    const file = join(folder, "bad.parquet");
    writeFileSync(file, parquetExport(rows));
    const run = telltaleImport(file);
    expect(await run.ended).toBe(1);
    expect(run.stdout()).toContain(accepted(2));
    expect(run.refused()).toMatchObject([{ where: "row 2", column: "value" }]);
    const short = join(folder, "short.parquet");
    const pages = [longs([1n])];
    writeFileSync(
      short,
      parquetFile({ rows: 1, columns: [{ name: "timestamp", type: "int64", converted: 10, pages }] }),
    );
    const refused = telltaleImport(short);
    expect(await refused.ended).toBe(1);
    expect(refused.stderr()).toMatch(
      /short\.parquet: the file has no column sensor_id, sensor_type, value, unit; it has "timestamp"/,
    );
    const named = join(folder, "named.parquet");
    writeFileSync(named, "sensor_id,timestamp\n");
    const none = telltaleImport(named);
    expect(await none.ended).toBe(1);
    expect(none.stderr()).toMatch(/named\.parquet: by its name it is Parquet or Arrow, and it begins as neither does/);
  });

  test("of Parquet and Arrow is sent and scored by the other commands too", async () => {
    const rows = history(["sent"], 50)
      .reverse()
      .map((row) => ({ ...row, location: "hall, 1" }));
    const parquet = join(folder, "sent.parquet");
    writeFileSync(parquet, parquetExport(rows));
    const sent = runNode([main, "send", parquet, "--url", platform.grpc]);
    expect(await sent.ended, sent.stderr()).toBe(0);
    expect(sent.stdout()).toContain(accepted(50));
    expect(sent.stderr()).toMatch(
      /time "timestamp" \(with their own zone\); value "value"; sensor "sensor_id".*; Parquet$/m,
    );
    const [feather, scores] = [join(folder, "sent.feather"), join(folder, "scores.csv")];
    writeFileSync(feather, arrowExport(rows));
    const scored = runNode([main, "score", feather, "--out", scores]);
    expect(await scored.ended, scored.stderr()).toBe(0);
    const lines = readFileSync(scores, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(51);
    expect(lines[0]).toMatch(/^sensorId,sensorType,timestamp,value,unit,location,/);
    expect(lines[1]).toMatch(/^sent,temperature,2020-09-13T12:26:40.000123\+00:00,[\d.]+,C,"hall, 1",/);
  });

  test("a bad row is named by line, column and value and kept in a file; its neighbours are stored", async () => {
    const rows: Record<string, unknown>[] = history(["bad-rows"], 20).map((row) => ({ ...row }));
    rows[2]!.value = "NaN";
    rows[4]!.timestamp = "yesterday";
    rows[6]!.sensor_id = "x".repeat(201);
    rows[8]!.unit = null;
    rows[10] = { ...rows[9], value: 1e6 }; // the time of its neighbour with another value
    rows[12]!.timestamp = new Date(Date.now() + 86_400_000).toISOString();
    const file = join(folder, "bad.ndjson");
    writeFileSync(file, `${rows.map((row) => JSON.stringify(row)).join("\n")}\n{"sensor_id":\n`);
    const run = telltaleImport(file);
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain('line 3, value is "NaN"; wanted a finite number; left out');
    expect(run.stdout()).toContain("16 sent = 14 accepted + 0 duplicate + 1 conflicting + 1 rejected (0 late)");
    expect(run.stderr()).toContain("7 rows were lost: exit code 1. --allow-loss makes it 0.");
    expect(run.stdout()).toMatch(/^7 rows were left out; each is in .*\.refused with the reason\.$/m);
    const told = run.refused();
    expect(told.map(({ where }) => where).sort()).toEqual([
      "line 11",
      "line 13",
      "line 21",
      "line 3",
      "line 5",
      "line 7",
      "line 9",
    ]);
    expect(told.find(({ where }) => where === "line 11")?.wanted).toMatch(/bad-rows.*1000000 was not stored/);
    expect(told.find(({ where }) => where === "line 13")?.wanted).toContain("ahead of the server's clock");
  });

  test("a CSV of another convention is read as what it says", async () => {
    const file = join(folder, "european.csv");
    const rows = [
      "european;temperature;13.02.2026 01:00:00,5;1.019,88;C",
      "european;temperature;30.02.2026 01:00:00;1,5;C",
    ];
    writeFileSync(file, `\ufeffsensorId;sensorType;timestamp;value;unit\r\n${rows.join("\r\n")}\r\n`);
    const run = telltaleImport(file, undefined, "--time-zone", "Europe/Berlin");
    expect(await run.ended).toBe(1);
    expect(run.stdout()).toContain(accepted(1));
    expect(run.stderr()).toMatch(/line 3: timestamp is "30\.02\.2026 01:00:00", which is no day of the calendar/);
    const [reading] = await allReadings(platform.grpc, "european");
    expect(reading).toMatchObject({ value: 1019.88, unit: "C" });
    expect(new Date(Number(reading!.observedAt!.seconds) * 1000).toISOString()).toBe("2026-02-13T00:00:00.000Z");
  });

  test("a file that is no export is refused as a whole, and nothing is sent", async () => {
    const wrong = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return telltaleImport(join(folder, name));
    };
    for (const [run, why] of [
      [telltaleImport(join(folder, "nothing.csv")), /^There is no file .*nothing\.csv\.$/m],
      [
        wrong("short.csv", "sensor_id,value\na,1\n"),
        /has no column sensor_type, timestamp, unit; it is "sensor_id,value"/,
      ],
      [wrong("cut.json", `[${JSON.stringify(history(["cut"], 1)[0])}`), /cut\.json, line 1: the array does not end/],
      [wrong("export.xlsx", "PK"), /ends in "\.xlsx"; wanted \.csv, \.parquet, \.arrow/],
    ] as const) {
      expect(await run.ended).toBe(1);
      expect(run.stderr()).toMatch(why);
    }
    expect(await allReadings(platform.grpc, "cut")).toEqual([]);
  });
});

describe("the predecessor's database", () => {
  const sensors = Array.from({ length: 40 }, (_, n) => `table-${n}`);
  const minutes = 3_000;
  let old: TestPostgres;
  let url: string;
  beforeAll(async () => {
    old = await startPostgres({ fsync: "off" });
    // As the predecessor's own settings name it.
    url = old.url.replace("postgres:", "postgresql+asyncpg:");
    const sql = postgres(old.url, { max: 1 });
    await sql.unsafe(`
      create table sensor_data (id serial primary key, sensor_id varchar(50) not null, sensor_type varchar(50) not null,
        timestamp timestamp without time zone, value double precision not null, unit varchar(20) not null, location varchar(100),
        metadata json, is_anomaly boolean, anomaly_score double precision);
      create table anomaly_alerts (id serial primary key, sensor_id varchar(50) not null, alert_type varchar(50), severity varchar(20),
        message text, anomaly_score double precision, sensor_value double precision, threshold double precision,
        timestamp timestamp with time zone, resolved boolean, resolved_at timestamp with time zone);
      insert into sensor_data (sensor_id, sensor_type, timestamp, value, unit, metadata, is_anomaly)
        select 'table-' || s, 'temperature', timestamp '2023-05-01' + m * interval '1 minute' + s * interval '1 microsecond',
          round((20 + sin(m * 1.7 + s) + case when s = 3 and m >= ${minutes - 3} then 100 else 0 end)::numeric, 3), 'C',
          case when m = 0 then json_build_object('firmware', s) end, false
        from generate_series(0, ${minutes - 1}) m, generate_series(0, ${sensors.length - 1}) s;
      insert into sensor_data (sensor_id, sensor_type, timestamp, value, unit) values
        ('table-0', 'temperature', 'infinity', 1, 'C'), ('table-0', 'temperature', '2023-05-01', 'NaN', 'C'),
        ('table-0', 'temperature', null, 1, 'C');
      insert into anomaly_alerts (sensor_id, severity, message, timestamp, resolved) values
        ('table-3', 'high', 'Anomaly detected, with score 0.83', timestamptz '2023-05-01 00:00:05+00' + ${minutes - 2} * interval '1 minute', true),
        ('table-4', 'low', 'Anomaly detected with score 0.41', '2023-05-01 12:00:00+00', false)`);
    await sql.end();
  });
  afterAll(() => old?.stop());

  test("goes on after a kill -9 in the middle, stores every row once, and says of each old alert whether it is confirmed", async () => {
    const killed = telltaleImport(url, "table");
    const settled = () => {
      try {
        return JSON.parse(readFileSync(join(folder, "table.json"), "utf8")).imports[
          old.url.replace("postgres:", "postgresql:").replace("telltale@", "")
        ].settled as number;
      } catch {
        return 0; // not written yet
      }
    };
    while (settled() === 0 && killed.process.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    killed.process.kill("SIGKILL");
    await killed.ended;
    const before = settled();
    const rest = telltaleImport(url, "table");
    // Three rows cannot be stored.
    expect(await rest.ended, rest.stderr()).toBe(1);
    expect(rest.stderr()).toMatch(new RegExp(`^${before} rows were settled before; \\d+ are left`, "m"));
    const rows = sensors.length * minutes;
    const sent = /^(\d+) sent = (\d+) accepted \+ (\d+) duplicate \+ 0 conflicting \+ 0 rejected \(0 late\)/m.exec(
      rest.stdout(),
    );
    expect(Number(sent?.[1]), rest.stdout()).toBe(rows - before);
    const query = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
    for (const sensorId of ["table-0", "table-39"]) {
      const { totalReadings, lateCount } = await query.getSensorStats({ sensorId });
      expect([totalReadings, lateCount]).toEqual([BigInt(minutes), 0n]);
    }
    expect((await allReadings(platform.grpc, "table-7")).at(-1)).toMatchObject({ metadata: { firmware: 7 } });
    expect(rest.stdout()).toContain("2 old alerts: 1 within an alert of Telltale, 1 not.");
    const [, confirmed, open] = readFileSync(join(folder, "table.csv"), "utf8").split("\n");
    expect(confirmed).toMatch(
      /^1,table-3,.*"Anomaly detected, with score 0\.83",\d+,(critical|high|medium),2023-05-03T01:57:00/,
    );
    expect(open).toMatch(/^2,table-4,.*,,,,$/);
    expect(
      rest
        .refused()
        .map(({ column }) => column)
        .sort(),
    ).toEqual(["timestamp", "timestamp", "value"]);
  });

  test("rows that the predecessor has added since are all that the next run sends", async () => {
    const sql = postgres(old.url, { max: 1 });
    await sql`insert into sensor_data (sensor_id, sensor_type, timestamp, value, unit) values ('table-0', 'temperature', '2023-06-01', 21, 'C')`;
    await sql.end();
    const next = telltaleImport(url, "table", "--no-alerts", "--allow-loss");
    expect(await next.ended).toBe(0);
    expect(next.stdout()).toContain(accepted(1));
  });

  test("a database that is not the predecessor's, or does not answer, is told in a sentence", async () => {
    const other = telltaleImport(`${old.url.replace("/postgres", "/template1")}`);
    expect(await other.ended).toBe(1);
    expect(other.stderr()).toContain("The database has no table sensor_data: is it the one of the old platform?");
    const none = telltaleImport("postgresql://telltale:secret@127.0.0.1:1/none");
    expect(await none.ended).toBe(1);
    expect(none.stderr()).toContain("The old database does not answer");
    expect(none.stderr()).not.toContain("secret");
  });
});
