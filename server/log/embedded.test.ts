import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Collector } from "../../testing/collector.ts";
import { testLogger } from "../../testing/logger.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { StartupError } from "../errors.ts";
import { type Client, openClient } from "../postgres/connection.ts";
import { createEmbeddedLog, type EmbeddedLogOptions } from "./embedded.ts";
import type { Log } from "./log.ts";
import { openPartitioned } from "./partitions.ts";
import { appendRows } from "./segments.ts";

describe("the embedded log's own promises", () => {
  let postgres: TestPostgres;
  let admin: Client;
  let logs: Log[] = [];

  beforeAll(async () => {
    postgres = await startPostgres();
    admin = openClient(postgres.url, { max: 1 });
  }, 60_000);
  afterEach(async () => {
    await Promise.all(logs.map((log) => log.close()));
    logs = [];
    await admin.sql`drop schema if exists telltale_log cascade`;
  });
  afterAll(async () => {
    await admin.sql.end();
    await postgres.stop();
  });

  const open = async (more: Partial<EmbeddedLogOptions> = {}) => {
    const log = await createEmbeddedLog({ sql: postgres.url, partitions: 2, logger: testLogger, ...more });
    logs.push(log);
    return log;
  };
  const tables = async () => {
    const rows = await admin.sql`select tablename from pg_tables where schemaname = 'telltale_log' order by 1`;
    return rows.map((row) => String(row.tablename)).filter((name) => name.startsWith("records_"));
  };

  it("lets one process append, and tells a second who has the log", async () => {
    await open();
    const second = open();
    await expect(second).rejects.toThrow(StartupError);
    await expect(second).rejects.toThrow(/Another process \(telltale-log-\d+-/);
  }, 30_000);

  it("works over the Unix socket", async () => {
    const log = await open({ sql: postgres.socketUrl });
    expect(await log.append(0, Buffer.from("a"))).toBe(0);
  });

  it("drops whole segments once all partitions have released them, and never an unreleased one", async () => {
    const log = await open({ segmentBytes: 10_000 });
    const consumer = new Collector();
    await log.consume(consumer);
    for (let i = 0; i < 50; i++) await log.append(i % 2, randomBytes(1_000));
    const before = await tables();
    expect(before.length).toBeGreaterThanOrEqual(4);
    log.release(0, 25);
    log.release(1, 0);
    await log.append(0, Buffer.from("x"));
    expect(await tables()).toEqual(expect.arrayContaining(before));
    log.release(1, 12);
    await expect.poll(async () => (await tables()).length).toBeLessThan(before.length);
    expect((await tables()).length).toBeGreaterThanOrEqual(3);
    log.release(1, 25);
    await expect.poll(async () => (await tables()).length).toBe(1);
  });

  it("never gives an offset again, also when everything was dropped, and says from where on it has records", async () => {
    const first = await open({ segmentBytes: 1 });
    for (let i = 0; i < 5; i++) await first.append(0, Buffer.from("x"));
    first.release(0, 5);
    await expect.poll(async () => (await tables()).length).toBe(1);
    await first.close();
    const second = await open();
    second.release(0, 5);
    expect(await second.append(0, Buffer.from("y"))).toBe(5);
    const consumer = new Collector();
    consumer.from.set(0, 5);
    await second.consume(consumer);
    await consumer.until(() => consumer.of(0).length >= 1);
    expect([4, 5]).toContain(consumer.oldest.get(0)); // the segment of the last record goes when the release is done
  });

  it("stores each record once, although its sessions are cut all the time", async () => {
    const log = await open();
    const consumer = new Collector();
    await log.consume(consumer);
    let cuts = 0;
    const cutting = (async () => {
      while (cuts < 6) {
        await consumer.until(() => consumer.of(0).length >= 40 * (cuts + 1));
        await admin.sql`
          select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'telltale-log-%'`;
        cuts++;
      }
    })();
    const offsets: number[] = [];
    for (let group = 0; group < 30; group++) {
      const records = Array.from({ length: 10 }, (_, i) => Buffer.from(`${group * 10 + i}`));
      offsets.push(...(await Promise.all(records.map((record) => log.append(0, record)))));
    }
    await cutting;
    await consumer.until(() => consumer.of(0).length >= 300);
    expect(offsets).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(new Set(consumer.texts(0)).size).toBe(300);
    const [row] = await admin.sql`select count(*)::int as tables from telltale_log.segment`;
    expect(row!.tables).toBeGreaterThan(1);
  }, 60_000);

  it("refuses what a former owner still tries to append", async () => {
    const log = await open();
    await log.append(0, Buffer.from("a"));
    await log.close();
    await open();
    const late = appendRows(admin.sql, { id: 1, first: [0, 0] }, [
      { partition: 0, offset: 1, bytes: Buffer.from("b") },
    ]);
    await expect(late).rejects.toThrow(/sealed/);
  });

  it("reads back from the table what no longer fits into memory", async () => {
    const log = await open({ tailBytes: 20_000 });
    const consumer = new Collector();
    const held = Promise.withResolvers<void>();
    consumer.before = () => held.promise;
    await log.consume(consumer);
    const offsets = await Promise.all(Array.from({ length: 200 }, () => log.append(1, randomBytes(1_000))));
    held.resolve();
    await consumer.until(() => consumer.of(1).length >= 200);
    expect(consumer.of(1).map(({ offset }) => offset)).toEqual(offsets);
  });

  it("keeps to the number of partitions that an installation was made with, also where it was not written down yet", async () => {
    await admin.sql.unsafe(`create table meta (key text primary key, value text not null);
      create table log_partition (partition int primary key)`);
    const known: boolean[] = [];
    const start = (partitions: number) =>
      openPartitioned(postgres.url, partitions, "PARTITIONS", (was) => {
        known.push(was);
        return open({ partitions });
      });
    await (await start(2)).close();
    await (await start(2)).close();
    expect(known).toEqual([false, true]);
    await expect(start(3)).rejects.toThrow(StartupError);
    await expect(start(3)).rejects.toThrow(
      /PARTITIONS is 3, but this installation was made with 2 .* set PARTITIONS back to 2/,
    );
    await admin.sql.unsafe("delete from meta; insert into log_partition values (0), (1)");
    await expect(start(3)).rejects.toThrow(/was made with 2/);
    await (await start(2)).close();
    await admin.sql.unsafe("drop table meta, log_partition");
  });

  it("says in one sentence when the database is out of reach", async () => {
    const nowhere = createEmbeddedLog({ sql: "postgres://u@127.0.0.1:1/x", partitions: 2, logger: testLogger });
    await expect(nowhere).rejects.toThrow(StartupError);
    await expect(nowhere).rejects.toThrow(/log cannot be opened.*ECONNREFUSED/);
  });
});
