/** A query that the database lacks resources for fails by itself: callers hear so, and readings are taken as before. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

let server: TestPostgres;
let platform: Platform;
let sql: postgres.Sql;
beforeAll(async () => {
  server = await startPostgres();
  platform = await startPlatform({ DATABASE_URL: server.url, PARTITIONS: "1" });
  sql = postgres(server.url, { max: 1, onnotice: () => undefined });
}, 120_000);
afterAll(async () => {
  await platform?.stop();
  await sql?.end();
  await server?.stop();
});

const post = (value: number) =>
  fetch(`${platform.http}/api/v1/sensors/data`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sensor_id: "a", sensor_type: "t", unit: "C", value }),
  });
const alertsByRest = () =>
  fetch(`${platform.http}/api/v1/sensors/alerts`, { headers: { "cache-control": "no-cache" } });
const alertsByGrpc = () => createClient(AlertService, createGrpcTransport({ baseUrl: platform.grpc })).listAlerts({});

test.each(["53200", "53400"])(
  "a query that fails with %s is answered UNAVAILABLE and 503, and ingest stays open",
  async (code) => {
    await sql.unsafe(`create function lacking() returns setof alert language plpgsql as $$ begin raise sqlstate '${code}'; end $$;
    alter table alert rename to alert_kept; create view alert as select * from lacking()`);
    const failed = ConnectError.from(await alertsByGrpc().catch((error: unknown) => error));
    expect(failed.code).toBe(Code.Unavailable);
    expect(failed.rawMessage).toContain(`SQLSTATE ${code}`);
    const rest = await alertsByRest();
    expect(rest.status).toBe(503);
    expect(await rest.text()).toContain(`SQLSTATE ${code}`);
    expect((await post(1)).ok).toBe(true);
    expect((await fetch(`${platform.grpc}/health`)).status).toBe(200);
    await sql.unsafe("drop view alert; alter table alert_kept rename to alert; drop function lacking()");
    expect((await alertsByGrpc()).alerts).toEqual([]);
    expect((await alertsByRest()).status).toBe(200);
  },
);

test("while the database is down, calls are answered UNAVAILABLE and 503, and soon after it is back they are answered", async () => {
  await sql.end();
  await server.kill();
  const failed = ConnectError.from(await alertsByGrpc().catch((error: unknown) => error));
  expect([failed.code, failed.rawMessage]).toEqual([Code.Unavailable, "the database does not answer: try again later"]);
  const rest = await alertsByRest();
  expect([rest.status, rest.headers.get("retry-after")]).toEqual([503, "2"]);
  await server.start();
  await expect.poll(async () => (await alertsByRest()).status).toBe(200);
  expect((await alertsByGrpc()).alerts).toEqual([]);
});
