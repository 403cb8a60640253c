import { setImmediate as turn } from "node:timers/promises";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { AlertEvent } from "../../gen/es/telltale/v1/watch_pb.ts";
import { AlertHistory, storeEvents } from "../../testing/alert-events.ts";
import { testLogger } from "../../testing/logger.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Random } from "../../testing/random.ts";
import { HOUR_US, MINUTE_US } from "../lib/time.ts";
import { Feed } from "../live/feed.ts";
import { migrate } from "../postgres/migrate.ts";
import { transaction } from "../postgres/transaction.ts";
import { openStoreSql } from "../store/postgres.ts";
import { derive, EVENTS_AT_ONCE } from "./derive.ts";
import { Deriver } from "./deriver.ts";
import { waitingEvents } from "./journal.ts";
import { type IncidentSettings, RULES_VERSION } from "./settings.ts";
import type { State } from "./state.ts";
import { IncidentViews } from "./views.ts";

const SETTINGS: IncidentSettings = {
  windowUs: 5 * MINUTE_US,
  attributes: ["gateway"],
  floodAlerts: 10,
  floodWindowUs: 10 * MINUTE_US,
  maxAgeUs: 24 * HOUR_US,
};
const PARTITIONS = 3;
const SENSORS = 24;
const SEEDS = 3;
const TABLES = ["incident", "incident_member", "incident_sensor", "incident_pair", "incident_owner"];

let postgres: TestPostgres;
let sql: Sql;

beforeAll(async () => {
  postgres = await startPostgres({ fsync: "off" });
  sql = openStoreSql(postgres.url, 4);
  await migrate(sql);
}, 60_000);
beforeEach(async () => {
  await sql.unsafe(`truncate ${TABLES.join(", ")}, alert_event, incident_event, outbox_progress, sensor_profile`);
  await sql`delete from log_partition`;
  await sql`update incident_progress set seq = 0, asked = 0, answered = 0, newest_us = -1, first_us = -1, epoch = -1, rules = 0, settings = ''`;
});
afterAll(async () => {
  await sql.end();
  await postgres.stop();
});

const partitionOf = (sensorId: string) => Number(sensorId.slice(1)) % PARTITIONS;

/** Weeks of alerts of sensors that share gateways, owners and assets, with floods, silences that stay open, and late ones. */
function randomHistory(seed: number): AlertHistory {
  const random = new Random(seed);
  const history = new AlertHistory(partitionOf);
  const open: number[] = [];
  let minute = 0;
  for (let i = 0; i < 1000; i++) {
    const burst = i % 100 < 40;
    minute += random.next() * (burst ? 0.2 : random.next() < 0.4 ? 900 : 4);
    const what = random.next();
    const late = random.next() < 0.05 ? random.next() * 5000 : 0;
    if (what < (burst ? 0.9 : 0.4) || open.length === 0)
      open.push(history.open(`s${random.between(0, SENSORS - 1)}`, minute - late, random.pick([1, 2, 3, 4])));
    else if (what < 0.92) history.raise(random.pick(open), Severity.CRITICAL);
    else if (what < 0.94) history.acknowledge(random.between(1, open.at(-1)!));
    else for (const alertId of open.splice(random.between(0, open.length - 1), 6)) history.close(alertId, minute);
  }
  return history;
}

/** Says of sensors what the history's groups need; other seeds say other things, also between events. */
async function register(random: Random): Promise<void> {
  for (let i = 0; i < SENSORS; i++) {
    if (random.next() < 0.4) continue;
    const attributes = random.next() < 0.5 ? {} : { gateway: String(random.between(1, 3)) };
    const asset = random.next() < 0.5 ? "" : `site/line-${random.between(1, 3)}/m${random.between(1, 3)}`;
    const owner = random.pick(["", "Ann", "Bob"]);
    await sql`insert into sensor_profile (sensor_id, owner, asset, attributes, revision, updated_us, updated_by)
      values (${`s${i}`}, ${owner}, ${asset}, ${attributes as never}, 1, 0, 'test')
      on conflict (sensor_id) do update set owner = excluded.owner, asset = excluded.asset, attributes = excluded.attributes`;
  }
}

async function rows(): Promise<Record<string, unknown>> {
  const all = TABLES.map(async (table) => {
    const found = await sql.unsafe(`select * from ${table} t order by t::text`);
    return [table, found.map((row) => ({ ...row }))] as const;
  });
  return Object.fromEntries(await Promise.all(all));
}

const step = (known?: State, settings = SETTINGS) => transaction(sql, (tx) => derive(tx, settings, known));

async function untilNothingIsNew(known?: State): Promise<State> {
  for (let state = known; ; ) {
    const { state: next, events } = await step(state);
    state = next;
    if (events === 0) return state;
  }
}

class Crash extends Error {}

/** The process ends before the transaction does. */
async function crash(known: State | undefined): Promise<void> {
  const ended = transaction(sql, async (tx) => {
    await derive(tx, SETTINGS, known);
    throw new Crash();
  });
  await expect(ended).rejects.toThrow(Crash);
}

describe.each(Array.from({ length: SEEDS }, (_, seed) => seed))("of the random history of seed %i", (seed) => {
  test("two replicas that take turns and crash at any point derive what one does again from the beginning", async () => {
    const random = new Random(1000 + seed);
    const { events } = randomHistory(seed);
    await register(random);
    const replicas: (State | undefined)[] = [undefined, undefined];
    for (let at = 0; at < events.length; ) {
      const next = at + random.between(1, 60);
      await storeEvents(sql, events.slice(at, next));
      at = next;
      if (random.next() < 0.2) await register(random);
      const replica = random.between(0, 1);
      if (random.next() < 0.3) {
        await crash(replicas[replica]);
        replicas[replica] = undefined;
      }
      replicas[replica] = (await step(replicas[replica])).state;
    }
    await untilNothingIsNew(replicas[0]);
    const derived = await rows();
    // Of all kinds there are some: floods, pairs that were counted, and what has left the memory.
    const [some] = await sql`select count(flood_owner)::int as floods, count(*) filter (where not live)::int as gone,
      (select count(*)::int from incident_member where reason->>'kind' = '5') as related from incident`;
    expect(Math.min(some!.floods, some!.gone, some!.related), JSON.stringify(some)).toBeGreaterThan(0);
    await sql`update incident_progress set asked = asked + 1`;
    const { rebuilt } = await step();
    expect(rebuilt).toBe(true);
    expect(await rows()).toEqual(derived);
  });
});

test("every alert is in one incident, and each incident's figures are those of its alerts", async () => {
  await register(new Random(1));
  const { events } = randomHistory(99);
  await storeEvents(sql, events);
  await untilNothingIsNew();
  const alerts = new Set(events.map(({ alert }) => Number(alert!.id)));
  const [{ members }] = (await sql`select count(*)::int as members from incident_member`) as unknown as [
    { members: number },
  ];
  expect(members).toBe(alerts.size);
  const wrong = await sql`
    select i.id from incident i full join (
      select incident_id, count(*) as alerts, count(*) filter (where closed_us is null) as open, min(opened_us) as opened_us,
        max(opened_us) as last_us, count(*) filter (where acknowledged) as acknowledged, max(severity) as severity,
        count(distinct sensor_id) as sensors, max(closed_us) as closed_us
      from incident_member group by 1) m on m.incident_id = i.id
    where (i.alerts, i.open, i.opened_us, i.last_us, i.acknowledged, i.severity, i.sensors, coalesce(i.closed_us, -1)) is distinct from
      (m.alerts, m.open, m.opened_us, m.last_us, m.acknowledged, m.severity, m.sensors, coalesce(m.closed_us, -1))`;
  expect(wrong).toHaveLength(0);
});

test("history that is sent late is no flood with what came long after it, whoever goes on with it", async () => {
  await sql`insert into sensor_profile (sensor_id, owner, revision, updated_us, updated_by)
    select 's' || i, 'Ann', 1, 0, 'test' from generate_series(0, 20) i`;
  const history = new AlertHistory(partitionOf);
  for (let i = 0; i < 12; i++) history.open(`s${i}`, 1000 + 2 * i);
  for (let i = 0; i < 300; i++) history.open(`s${100 + i}`, 5000 + 20 * i);
  const late = history.events.length;
  for (let i = 0; i < 3; i++) history.open(`s${12 + i}`, 980 + i);
  await storeEvents(sql, history.events.slice(0, late));
  await untilNothingIsNew();
  for (let at = late; at < history.events.length; at++) {
    await storeEvents(sql, history.events.slice(at, at + 1));
    await step();
  }
  expect(await sql`select count(flood_owner)::int as floods, count(*)::int as incidents from incident`).toEqual([
    { floods: 0, incidents: 315 },
  ]);
});

test("with other settings all incidents are derived again, from what the registry said when the alerts opened", async () => {
  await sql`insert into sensor_profile (sensor_id, attributes, revision, updated_us, updated_by)
    values ('s0', '{"room":"7"}', 1, 0, 'test'), ('s1', '{"room":"7"}', 1, 0, 'test')`;
  const history = new AlertHistory(partitionOf);
  history.open("s0", 0);
  history.open("s1", 1);
  await storeEvents(sql, history.events);
  await untilNothingIsNew();
  expect(await sql`select id from incident`).toHaveLength(2);
  await sql`delete from sensor_profile`;
  const { rebuilt, state } = await step(undefined, { ...SETTINGS, attributes: ["room"] });
  expect(rebuilt).toBe(true);
  expect(await sql`select id, alerts from incident`).toEqual([{ id: 1, alerts: 2 }]);
  expect((await step(state, { ...SETTINGS, attributes: ["room"] })).rebuilt).toBe(false);
  // The first attribute that two sensors share is the reason: another order gives other reasons.
  const [there, back] = [
    ["room", "gateway"],
    ["gateway", "room"],
  ];
  for (const attributes of [there, back])
    expect((await step(undefined, { ...SETTINGS, attributes })).rebuilt).toBe(true);
});

test("of a sensor that is deleted with its alert events nothing is left, and of the others all", async () => {
  await register(new Random(1));
  await storeEvents(sql, randomHistory(98).events);
  const state = await untilNothingIsNew();
  const traces = async () => {
    const all = [...TABLES.map((table) => `select t::text from ${table} t`), "select facts::text from incident_event"];
    const found = await sql.unsafe(all.join(" union all "));
    return found.filter((r) => /\bs7\b/.test(String(r.t)));
  };
  expect(await traces()).not.toHaveLength(0);
  const [before] = await sql`select count(*)::int as alerts from incident_member where sensor_id <> 's7'`;
  await sql`update alert_event set alert_id = 0, event = ''
    where alert_id in (select alert_id from incident_member where sensor_id = 's7')`;
  expect((await step(state)).rebuilt).toBe(true);
  expect(await traces()).toHaveLength(0);
  expect(await sql`select count(*)::int as alerts from incident_member`).toEqual([before]);
  const [left] = await sql`select count(*)::int as events from alert_event where alert_id <> 0`;
  expect(await new IncidentViews(sql, SETTINGS).counts()).toMatchObject({ events: left!.events });
  expect((await step()).rebuilt).toBe(false);
});

test("a step is full also where all events wait in one of many partitions", async () => {
  const history = new AlertHistory(partitionOf);
  for (let i = 0; i <= EVENTS_AT_ONCE; i++) history.open("s0", i * 10);
  for (const sensor of ["s1", "s2", "s1"]) history.open(sensor, 0);
  await storeEvents(sql, history.events);
  await sql`insert into log_partition (partition, next_event) select partition, 1 from generate_series(100, 160) partition`;
  const first = await step();
  expect(first.events).toBe(EVENTS_AT_ONCE);
  expect(await waitingEvents(sql)).toBe(4);
  expect(await sql`select alert_id from incident_member where sensor_id <> 's0'`).toHaveLength(3);
  expect((await step(first.state)).events).toBe(4);
});

test("events that were removed before anybody took them are passed", async () => {
  const history = new AlertHistory(partitionOf);
  for (const sensor of ["s0", "s1", "s2", "s3"]) history.open(sensor, 0);
  await storeEvents(sql, history.events);
  await sql`update alert_event set alert_id = 0, event = '' where alert_id in (1, 2)`;
  expect(await waitingEvents(sql)).toBe(4);
  await untilNothingIsNew();
  expect(await waitingEvents(sql)).toBe(0);
  expect(await sql`select alert_id from incident_member order by 1`).toEqual([{ alert_id: 3 }, { alert_id: 4 }]);
});

describe("of several processes", () => {
  /** Processes of an installation, each with its own session. */
  function start(alertsChanged: Feed<null>) {
    const o = { active: false, rebuilt: 0, steps: new Feed<null>({ entries: 1, bytes: 1 }, 0) };
    const deriver = new Deriver({
      sql: openStoreSql(postgres.url, 1),
      ...{ settings: SETTINGS, logger: testLogger, alertsChanged },
      onStep: (derived) => {
        o.active = derived !== undefined;
        o.rebuilt += derived?.rebuilt ? 1 : 0;
        o.steps.push(null, 1);
      },
    });
    return Object.assign(o, { deriver });
  }

  test("one whose session is cut goes on or leaves it to another, and nothing is derived twice", async () => {
    const changed = new Feed<null>({ entries: 1, bytes: 1 }, 0);
    const both = [start(changed), start(changed)] as const;
    const { events } = randomHistory(97);
    for (let at = 0; at < events.length; at += 50) {
      await storeEvents(sql, events.slice(at, at + 50));
      changed.push(null, 1);
      if (at % 200 === 0)
        await sql`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()`;
    }
    const derived = async () => (await sql`select seq from incident_progress`)[0]!.seq;
    await expect.poll(derived).toBe(events.length);
    await Promise.all(both.map(({ deriver }) => deriver.close()));
    const found = await rows();
    await sql`update incident_progress set asked = asked + 1`;
    await step();
    expect(await rows()).toEqual(found);
  }, 30_000);

  test("a program leaves incidents to a newer one whose rules it does not know", async () => {
    await sql`update incident_progress set rules = ${RULES_VERSION + 1}, seq = 7`;
    const older = start(new Feed<null>({ entries: 1, bytes: 1 }, 0));
    await older.steps.changed(0, 10_000, AbortSignal.timeout(10_000));
    expect(older.active).toBe(false);
    await older.deriver.close();
    expect(await sql`select seq, rules from incident_progress`).toEqual([{ seq: 7, rules: RULES_VERSION + 1 }]);
  });

  test("one derives, and when it ends another goes on within seconds", async () => {
    const changed = new Feed<null>({ entries: 1, bytes: 1 }, 0);
    const stored = async (events: readonly AlertEvent[]) => {
      await storeEvents(sql, events);
      changed.push(null, 1);
    };
    const history = new AlertHistory(partitionOf);
    const both = [start(changed), start(changed)] as const;
    await Promise.all(both.map(({ steps }) => steps.changed(0, 10_000, AbortSignal.timeout(10_000))));
    expect(both.filter(({ active }) => active)).toHaveLength(1);
    const [first, second] = both[0].active ? both : [both[1], both[0]];
    history.open("s0", 0);
    await stored(history.events);
    await expect.poll(() => sql`select id from incident`).toHaveLength(1);
    await first.deriver.close();
    history.open("s1", 600);
    await stored(history.events.slice(1));
    await expect.poll(() => sql`select id from incident`).toHaveLength(2);
    expect(second.active).toBe(true);
    await second.deriver.close();
    await turn();
  }, 30_000);
});
