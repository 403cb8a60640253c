/** Lists that are longer than one answer: a stock client takes every page, misses nothing and is never told that a cut list is whole. */
import { randomUUID } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { askGraphql } from "../../testing/graphql.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

/** What gRPC clients take unless configured otherwise. */
const CLIENT_BYTES = 4 * 1024 * 1024;
const SENSORS = 30_000;
const AT_ONCE = 10_000;
const WINDOWS = 2_500;
const TOKENS = 2_500;
const EVENTS = 2_500;
const SET_ASIDE = 40;
const UNITS = 1_200;
/** A place with as many characters as there may be, each of three bytes. */
const LOCATION = "層".repeat(100);

let platform: Platform;
let sql: postgres.Sql;
const transport = (): Transport => createGrpcTransport({ baseUrl: platform.grpc, readMaxBytes: CLIENT_BYTES });
const query = () => createClient(QueryService, transport());
const admin = () => createClient(AdminService, transport());
const detector = () => createClient(DetectorService, transport());
const idOf = (i: number) => `sensor-${String(i).padStart(6, "0")}-${"x".repeat(36)}`;

beforeAll(async () => {
  platform = await startPlatform();
  const path = `${platform.dataDir}/postgres/.s.PGSQL.5432`;
  sql = postgres({ path, database: "telltale", username: "telltale", max: 1 });
  const ingest = createClient(IngestService, transport());
  for (let from = 0; from < SENSORS; from += AT_ONCE) {
    const blocks = Array.from({ length: AT_ONCE }, (_, i) => ({
      ...{ sensorId: idOf(from + i), sensorType: "temperature", unit: "C", location: LOCATION },
      ...{ baseTimeUs: 1_700_000_000_000_000n, timeDeltasUs: [0], values: [20] },
    }));
    const { counts } = await ingest.submitReadings({ blocks });
    expect(counts?.accepted).toBe(BigInt(AT_ONCE));
  }
  await fillTables();
}, 240_000);
afterAll(async () => {
  await sql?.end();
  await platform?.stop();
});

/** What people make over years. */
async function fillTables(): Promise<void> {
  await sql`insert into api_token (id, name, secret_hash, scopes, created_at)
    select 't' || g, repeat('層', 100), '', 4, timestamptz '2026-01-01' + (g / 2) * interval '1 microsecond' from generate_series(1, ${TOKENS}) g`;
  await sql`insert into audit_event (principal, action, target, detail)
    select 'p', 'alert.resolve', 'alert ' || g, repeat('層', 2000) from generate_series(1, ${EVENTS}) g`;
  // The sizes of a reading's record, and of one that is larger than any answer.
  await sql`insert into quarantined_reading (partition, log_offset, fragment, index, readings, reason, received_us, payload)
    select 0, g, -2, 0, 1, 'r', 0, convert_to(repeat('x', case when g = 7 then 5000000 else 700000 end), 'UTF8')
    from generate_series(1, ${SET_ASIDE}) g`;
  await sql`insert into series (partition, sensor_id, sensor_type, unit, readings, total, smallest, largest, first_us, newest_us, last_us, last_value, last_score, last_anomaly)
    select 0, 'restless', 't', 'u' || g, 1, 1, 1, 1, g, g, g, 1, 0, false from generate_series(1, ${UNITS}) g`;
  const until = { seconds: 4_000_000_000n, nanos: 0 };
  const controls = Array.from({ length: WINDOWS }, (_, i) => {
    const startTime = { seconds: BigInt(1_800_000_000 + Math.floor(i / 3)), nanos: 0 };
    const value = { id: randomUUID(), startTime, endTime: until, comment: "層".repeat(1000) };
    return Buffer.from(
      toBinary(ControlSchema, create(ControlSchema, { action: { case: "maintenance", value } })),
    ).toString("hex");
  });
  await sql`insert into detector_setting (partition, log_offset, control)
    select 0, 1000000 + n, decode(control, 'hex') from unnest(${controls}::text[]) with ordinality c(control, n)`;
}

/** All pages, by their tokens. */
async function walk<T>(page: (pageToken: string) => Promise<{ rows: readonly T[]; nextPageToken: string }>) {
  const rows: T[] = [];
  let pages = 0;
  for (let token = ""; pages === 0 || token !== ""; pages++) {
    const { rows: more, nextPageToken } = await page(token);
    expect(more.length).toBeGreaterThan(0);
    rows.push(...more);
    token = nextPageToken;
  }
  return { rows, pages };
}

const failure = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable(),
    (error: unknown) => ConnectError.from(error),
  );

describe("sensors", () => {
  test("each is in one page, in order, and a list that does not fit says so", async () => {
    const all = Array.from({ length: SENSORS }, (_, i) => idOf(i));
    const { rows, pages } = await walk(async (pageToken) => {
      const page = await query().listSensors({ limit: 100_000, sensorType: "temperature", pageToken });
      expect(page.totalCount).toBe(BigInt(SENSORS));
      return { rows: page.sensors, nextPageToken: page.nextPageToken };
    });
    expect(rows.map(({ sensorId }) => sensorId)).toEqual(all);
    expect(pages).toBeGreaterThan(2);
  }, 60_000);

  test("a caller that says how much it takes gets that much", async () => {
    const large = createClient(QueryService, createGrpcTransport({ baseUrl: platform.grpc }));
    const ask = (bytes: number) =>
      large.listSensors({ limit: 100_000 }, { headers: { "telltale-max-response-bytes": String(bytes) } });
    expect((await ask(32 * 1024 * 1024)).sensors).toHaveLength(SENSORS + 1);
    const few = await ask(1024 * 1024);
    expect(few.sensors.length).toBeLessThan(4_000);
    expect(few.nextPageToken).not.toBe("");
  });

  test("a page that ends with the last has no token; filters and pages are not mixed", async () => {
    const afterSensorId = idOf(SENSORS - 3);
    const page = await query().listSensors({ limit: 2, afterSensorId, sensorType: "temperature" });
    expect(page.sensors.map(({ sensorId }) => sensorId)).toEqual([idOf(SENSORS - 2), idOf(SENSORS - 1)]);
    expect(page.nextPageToken).toBe("");
    const { nextPageToken: pageToken } = await query().listSensors({ limit: 1, afterSensorId });
    expect((await query().listSensors({ limit: 1, afterSensorId, pageToken })).sensors[0]?.sensorId).toBe(
      idOf(SENSORS - 1),
    );
    for (const [call, words] of [
      [() => query().listSensors({ pageToken, afterSensorId, location: LOCATION }), "another location"],
      [() => query().listSensors({ pageToken }), "another after_sensor_id"],
      [() => query().listSensors({ pageToken: "%%%" }), "not valid"],
      [() => admin().listTokens({ pageToken }), "of another list"],
      [() => query().listReadings({ pageToken }), "of another list"],
    ] as const) {
      const error = await failure(call());
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toContain(words);
    }
  });

  test("the status path of REST keeps its form", async () => {
    const response = await fetch(`${platform.http}/api/v1/monitoring/sensors/status`);
    const body = (await response.json()) as { sensors: unknown[] };
    expect(Object.keys(body)).toEqual(["sensors", "total_count", "healthy_count", "stale_count"]);
    expect(body.sensors).toHaveLength(10_000);
  });

  test("units of one that changes its unit with each reading are counted and not all named", async () => {
    const { units, unitCount, totalReadings } = await query().getSensorStats({ sensorId: "restless" });
    expect([units.length, unitCount, totalReadings]).toEqual([1_000, BigInt(UNITS), BigInt(UNITS)]);
    expect(units[0]!.unit).toBe(`u${UNITS}`);
  });
});

describe("what people made", () => {
  test("tokens", async () => {
    const { rows } = await walk(async (pageToken) => {
      const page = await admin().listTokens({ pageToken, limit: 999 });
      return { rows: page.tokens, nextPageToken: page.nextPageToken };
    });
    expect(rows).toHaveLength(TOKENS);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(TOKENS);
    const times = rows.map(({ createdAt }) => createdAt!.nanos);
    expect(times).toEqual([...times].sort((a, b) => b - a));
  });

  test("maintenance windows, also such as begin at one time", async () => {
    const { rows, pages } = await walk(async (pageToken) => {
      const page = await detector().listMaintenanceWindows({ pageToken });
      return { rows: page.windows, nextPageToken: page.nextPageToken };
    });
    expect(new Set(rows.map(({ id }) => id)).size).toBe(WINDOWS);
    expect(pages).toBeGreaterThan(2);
  });

  test("audit events, by token and by id", async () => {
    const { rows, pages } = await walk(async (pageToken) => {
      const page = await admin().listAuditEvents({ limit: 1_000, pageToken });
      return { rows: page.events, nextPageToken: page.nextPageToken };
    });
    expect(new Set(rows.map(({ id }) => id)).size).toBe(EVENTS);
    expect(pages).toBeGreaterThan(3);
    expect((await admin().listAuditEvents({ limit: 1, beforeId: rows[1]!.id })).events).toEqual([rows[2]]);
  });

  test.each([
    ["by default", {}, 5],
    // Less than one of them has: a page each.
    ["where the caller takes little", { "telltale-max-response-bytes": "100000" }, SET_ASIDE - 2],
  ])(
    "readings set aside, %s: payloads that no answer would hold are left out, with their length",
    async (_, headers, least) => {
      const { rows, pages } = await walk(async (pageToken) => {
        const page = await admin().listQuarantinedReadings({ limit: 1_000, pageToken }, { headers });
        expect(page.waiting).toBe(BigInt(SET_ASIDE));
        return { rows: page.readings, nextPageToken: page.nextPageToken };
      });
      expect(rows.map(({ offset }) => Number(offset))).toEqual(
        Array.from({ length: SET_ASIDE }, (_, i) => SET_ASIDE - i),
      );
      expect(pages).toBeGreaterThan(least);
      for (const { offset, payload, payloadBytes } of rows) {
        expect([payload.length, payloadBytes]).toEqual(offset === 7n ? [0, 5_000_000n] : [700_000, 700_000n]);
      }
      const error = await failure(
        admin().listQuarantinedReadings({
          includeDecided: true,
          pageToken: (await admin().listQuarantinedReadings({ limit: 1 })).nextPageToken,
        }),
      );
      expect(error.rawMessage).toContain("another include_decided");
    },
  );

  test("the command line prints all of them", async () => {
    const tokens = runCli("token", "list", "--url", platform.grpc);
    const setAside = runCli("quarantine", "list", "--url", platform.grpc);
    expect([await tokens.ended, await setAside.ended]).toEqual([0, 0]);
    expect(tokens.stderr()).toContain(`${TOKENS} tokens`);
    expect(setAside.stdout().trim().split("\n")).toHaveLength(SET_ASIDE);
  }, 60_000);
});

describe("by GraphQL", () => {
  const ask = (text: string, variables: object) => askGraphql(platform.http, text, variables);

  test.each([
    ["sensors", "sensors", "sensorId", 10_000, SENSORS + 1],
    ["tokensPage", "tokens", "id", 500, TOKENS],
    ["maintenanceWindowsPage", "windows", "id", 500, WINDOWS],
    ["auditEventsPage", "events", "id", 500, EVENTS],
  ])("%s goes through the list", async (field, list, key, limit, count) => {
    const text = `query ($t: String) { page: ${field}(limit: ${limit}, pageToken: $t) { ${list} { ${key} } nextPageToken } }`;
    const { rows, pages } = await walk(async (t) => {
      const { data, errors } = await ask(text, { t });
      expect(errors).toBeUndefined();
      const page = data.page as unknown as Record<string, object[]> & { nextPageToken: string };
      return { rows: page[list]!, nextPageToken: page.nextPageToken };
    });
    expect(new Set(rows.map((row) => JSON.stringify(row))).size).toBe(count);
    expect(pages).toBe(Math.ceil(count / limit));
  });
});
