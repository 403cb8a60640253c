import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { freePort } from "../../testing/processes.ts";
import { type FaultProxy, startProxy } from "../../testing/proxy.ts";
import { openClient } from "./connection.ts";

let postgres: TestPostgres;
let proxy: FaultProxy;

beforeAll(async () => {
  postgres = await startPostgres();
  proxy = await startProxy(() => [postgres.port]);
}, 60_000);
afterAll(async () => {
  await proxy.stop();
  await postgres.stop();
});

const ask = async (sql: ReturnType<typeof openClient>["sql"]) => Number((await sql`select 1 as one`)[0]!.one);

it("connects again after any number of refused connections, with every connection of the pool", async () => {
  const port = await freePort();
  const { sql, destroy } = openClient(postgres.url.replace(String(postgres.port), String(port)), { max: 2 });
  for (let i = 0; i < 6; i++) await expect(ask(sql)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  const late = await startProxy(() => [postgres.port], port);
  expect(await Promise.all([ask(sql), ask(sql), ask(sql), ask(sql)])).toEqual([1, 1, 1, 1]);
  destroy();
  await late.stop();
});

it("survives cuts of its connections and kills of the server", async () => {
  const { sql, destroy } = openClient(postgres.url.replace(String(postgres.port), String(proxy.port)), { max: 2 });
  for (let i = 0; i < 3; i++) {
    expect(await ask(sql)).toBe(1);
    proxy.cut();
    await expect.poll(() => ask(sql).catch(() => 0)).toBe(1);
  }
  await postgres.kill();
  await expect(ask(sql)).rejects.toThrow();
  await postgres.start();
  await expect.poll(() => ask(sql).catch(() => 0)).toBe(1);
  destroy();
});

it("rejects a query that is made between a connection's error and its end, and goes on", async () => {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", onSocket);
  const { sql, destroy } = openClient(postgres.url.replace(String(postgres.port), String(proxy.port)), { max: 1 });
  expect(await ask(sql)).toBe(1);
  unsubscribe("net.client.socket", onSocket);
  const made = Promise.withResolvers<number>();
  // After all that the library does when it hears of the error.
  for (const socket of sockets)
    socket.once("error", () => process.nextTick(() => ask(sql).then(made.resolve, made.reject)));
  proxy.cut();
  await expect(made.promise).rejects.toMatchObject({ code: "CONNECTION_CLOSED" });
  expect(await ask(sql)).toBe(1);
  destroy();
}, 20_000);

it("runs its sessions by its own settings, whatever the database has set, and without compiled plans", async () => {
  const address = new URL(postgres.url);
  const first = openClient(address.href, { max: 1 });
  await first.sql`create database odd`;
  const settings = {
    ...{ jit: "on", jit_above_cost: "0", default_transaction_isolation: "serializable" },
    ...{ standard_conforming_strings: "off", extra_float_digits: "-15", synchronous_commit: "off" },
    ...{ bytea_output: "escape", DateStyle: "German", TimeZone: "Asia/Tokyo" },
  };
  for (const [name, value] of Object.entries(settings))
    await first.sql.unsafe(`alter database odd set ${name} = '${value}'`);
  await first.sql.end();
  address.pathname = "/odd";
  const { sql, destroy } = openClient(address.href, { max: 1, connection: { application_name: "telltale-test" } });
  expect(
    await sql`select 0.1::float8 + 0.2::float8 as sum, '\\'::text as text, '\\xff00'::bytea as bytes,
    to_timestamp(0)::text as time, current_setting('transaction_isolation') as isolation,
    current_setting('application_name') as name, current_setting('synchronous_commit') as waits`,
  ).toEqual([
    {
      ...{ sum: 0.1 + 0.2, text: "\\", bytes: Buffer.from([255, 0]), time: "1970-01-01 00:00:00+00" },
      ...{ isolation: "read committed", name: "telltale-test", waits: "on" },
    },
  ]);
  const plan = await sql`explain (analyze) select 1`;
  expect(plan.map((row) => Object.values(row)[0]).join("\n")).not.toContain("JIT");
  destroy();
});
