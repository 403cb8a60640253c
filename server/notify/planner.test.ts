import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AlertHistory, storeAlerts, storeEvents } from "../../testing/alert-events.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Random } from "../../testing/random.ts";
import { Stored } from "../../testing/stored.ts";
import { systemClock } from "../clock.ts";
import { Feed } from "../live/feed.ts";
import { silentLogger } from "../observe/logger.ts";
import { openStoreSql } from "../store/postgres.ts";
import { writeConfig } from "./config/store.ts";
import { Planner, type Step } from "./planner.ts";

const CONFIG = `
route: { receiver: all, group_by: [sensor_id], group_wait: 0s, group_interval: 20ms }
receivers: [{ name: all, webhook_configs: [{ url: 'http://example.test/' }] }]
`;
const ALERTS = 120;

describeWith(["postgres"], "of several processes", () => {
  let server: TestPostgres;
  let stored: Awaited<ReturnType<typeof Stored.create>>;
  let sql: Sql;
  const changes = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  const planners: { planner: Planner; leads: () => boolean }[] = [];

  beforeAll(async () => {
    server = await startPostgres();
    stored = await Stored.create(server.url, "planner");
    sql = stored.sql;
    await writeConfig(sql, { after: 0, text: CONFIG, appliedUs: 0, appliedBy: "test" });
    // A cursor begins at the newest event: the partitions are there before.
    await sql`insert into log_partition (partition) values (0), (1), (2) on conflict do nothing`;
  }, 60_000);
  afterAll(async () => {
    await Promise.all(planners.map(({ planner }) => planner.close()));
    await stored.close();
    await server.stop();
  });

  function start(): void {
    let last: Step | undefined;
    const planner = new Planner({
      sql: openStoreSql(stored.url, 1, 60_000, "planner-test"),
      ...{ clock: systemClock, logger: silentLogger(), externalUrl: "", changes },
      onStep: (step) => {
        last = step;
      },
    });
    planners.push({ planner, leads: () => last !== undefined });
  }

  test("one whose step failed does not lead before the next one shows that it does", async () => {
    const steps: boolean[] = [];
    const planner = new Planner({
      sql: openStoreSql(stored.url, 1, 60_000, "planner-test"),
      ...{ clock: systemClock, logger: silentLogger(), externalUrl: "", changes },
      onStep: (step) => steps.push(step !== undefined),
    });
    await expect.poll(() => steps.at(-1)).toBe(true);
    await sql`alter table notify_config rename to elsewhere`;
    await expect.poll(() => steps.at(-1)).toBe(false);
    await sql`alter table elsewhere rename to notify_config`;
    await expect.poll(() => steps.at(-1)).toBe(true);
    await planner.close();
  });

  test("one decides, another goes on when its session is cut, and each alert is told to open and to end once", async () => {
    const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`TELLTALE_SEED=${seed} repeats these events and cuts\n`);
    const random = new Random(seed);
    for (let i = 0; i < 3; i++) start();
    await expect.poll(() => planners.filter(({ leads }) => leads()).length).toBe(1);
    // As deleting its sensor leaves an event.
    await sql`insert into alert_event (partition, number, alert_id, event) values (2, 1, 0, '')`;
    await sql`update log_partition set next_event = 2 where partition = 2`;
    const history = new AlertHistory((sensorId) => Number(sensorId.slice(1)) % 2);
    const open: number[] = [];
    for (let alert = 0; alert < ALERTS; alert++) {
      const first = history.events.length;
      open.push(history.open(`s${alert}`, alert));
      if (random.next() < 0.7) history.close(open.splice(Math.floor(random.next() * open.length), 1)[0]!, alert + 1);
      await store(history, first);
      changes.push(null, 1);
      if (random.next() < 0.05) await cut();
    }
    const first = history.events.length;
    for (const id of open) history.close(id, ALERTS);
    // Told to be open before it is told to be over, but for those that are over before anybody looks.
    await expect.poll(opened).toBeGreaterThan(0);
    await store(history, first);
    changes.push(null, 1);
    await expect.poll(pending).toEqual({ alerts: 0, groups: 0 });
    const rows = await sql`select a->>'id' as id, a->>'status' as status, count(*)::int as n
      from notify_delivery, jsonb_array_elements(message->'alerts') a group by 1, 2`;
    expect(rows.filter(({ n }) => n !== 1)).toEqual([]);
    const told = (status: string) => new Set(rows.filter((r) => r.status === status).map((r) => r.id as string));
    expect(told("resolved")).toEqual(told("firing"));
    const [{ ends }] = (await sql`select min(next_number - next_event)::int as ends
      from outbox_progress join log_partition using (partition) where sink = 'notify'`) as never as [{ ends: number }];
    expect(ends).toBe(0);
  }, 120_000);

  async function store(history: AlertHistory, from: number): Promise<void> {
    const events = history.events.slice(from);
    await storeAlerts(sql, events);
    await storeEvents(sql, events);
  }

  /** Ends every session of a planner, so that whoever decides has to be found anew. */
  async function cut(): Promise<void> {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'planner-test'`;
  }

  async function opened(): Promise<number> {
    const [row] = await sql`select count(*)::int as n from notify_delivery`;
    return row!.n;
  }

  async function pending(): Promise<{ alerts: number; groups: number }> {
    const [row] = await sql`select (select count(*)::int from notify_alert) as alerts,
      (select count(*)::int from notify_group) as groups`;
    return row as never;
  }
});
