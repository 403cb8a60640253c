import { pino } from "pino";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { migrate } from "../postgres/migrate.ts";
import { createPostgresStore, openStoreSql } from "./postgres.ts";

const logger = pino({ level: "silent" });
const SERIES = { sensorId: "a", sensorType: "t", unit: "C", location: undefined };

let server: TestPostgres;
let sql: ReturnType<typeof openStoreSql>;
beforeAll(async () => {
  server = await startPostgres();
  sql = openStoreSql(server.url, 1);
  await migrate(sql);
  await sql.unsafe(`create sequence failures;
    create function fails() returns trigger language plpgsql as
      $$ begin perform nextval('failures'); raise sqlstate '53200'; end $$;
    create function fails_to_read() returns setof alert language plpgsql as
      $$ begin perform nextval('failures'); raise sqlstate '53200'; end $$;`);
}, 120_000);
afterAll(async () => {
  await sql.end();
  await server.stop();
});

/** Waits until so many statements have failed, and sets the count back. */
async function failed(times: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const [row] = await sql`select last_value as n, is_called from failures`;
      expect(row!.is_called && row!.n >= times).toBe(true);
    },
    { timeout: 20_000, interval: 20 },
  );
  await sql`select setval('failures', 1, false)`;
}

test("of what fails for want of resources only what is written says that there is no room; both succeed later", async () => {
  const heard: unknown[] = [];
  const store = createPostgresStore(server.url, logger, (error) => heard.push((error as { code: string }).code));
  await sql.unsafe("alter table alert rename to alert_kept; create view alert as select * from fails_to_read()");
  const reading = store.readAlert(1);
  await failed(2);
  expect(heard).toEqual([]);
  await sql.unsafe("drop view alert; alter table alert_kept rename to alert");
  expect(await reading).toBeUndefined();

  await sql.unsafe("create trigger fails before insert on series execute function fails()");
  const writing = store.addSeries(0, [SERIES]);
  await failed(2);
  await sql.unsafe("drop trigger fails on series");
  expect(await writing).toHaveLength(1);
  expect(heard.length).toBeGreaterThanOrEqual(2);
  expect(new Set(heard)).toEqual(new Set(["53200"]));
  await store.close();
});
