/**
 * CPU time that incidents cost for each alert event, and a flood of ten thousand alerts in a minute, with the database that comes with the
 * product.
 */
import type { Sql } from "postgres";
import { Severity } from "../gen/es/telltale/v1/reading_pb.ts";
import type { AlertEvent } from "../gen/es/telltale/v1/watch_pb.ts";
import { derive } from "../server/incidents/derive.ts";
import { fold } from "../server/incidents/fold.ts";
import { inputOf } from "../server/incidents/input.ts";
import { State } from "../server/incidents/state.ts";
import { HOUR_US, MINUTE_US } from "../server/lib/time.ts";
import { migrate } from "../server/postgres/migrate.ts";
import { transaction } from "../server/postgres/transaction.ts";
import { openStoreSql } from "../server/store/postgres.ts";
import { AlertHistory, storeEvents } from "../testing/alert-events.ts";
import { Random } from "../testing/random.ts";
import { cpuOf, difference, sum } from "./cpu.ts";
import { startDatabase } from "./database.ts";
import type { StorageRow } from "./storage-queries.ts";

const SETTINGS = {
  windowUs: 5 * MINUTE_US,
  attributes: [],
  floodAlerts: 10,
  floodWindowUs: 10 * MINUTE_US,
  maxAgeUs: 24 * HOUR_US,
};
const OWNERS = 50;
const PARTITIONS = 4;

/** @param alerts of a flood within one minute, and of a quiet month of a thousand sensors */
export async function incidentRows(alerts: number): Promise<StorageRow[]> {
  const rows: StorageRow[] = [];
  for (const [name, { events }] of Object.entries({ flood: flood(alerts), month: month(alerts) })) {
    rows.push(await row(`incident_fold_${name}_us`, events, [process.pid], async () => foldAll(events)));
    const database = await startDatabase();
    const sql = openStoreSql({ ...database.address }, 2);
    const pids = [process.pid, database.pid];
    try {
      await migrate(sql);
      await register(sql, alerts);
      await storeEvents(sql, events);
      rows.push(await row(`incident_derive_${name}_us`, events, pids, () => deriveAll(sql)));
      await sql`update incident_progress set asked = asked + 1`;
      rows.push(await row(`incident_rebuild_${name}_us`, events, pids, () => deriveAll(sql)));
    } finally {
      await sql.end();
      await database.stop();
    }
  }
  return rows;
}

/** One alert of each sensor within a minute; half of them are over ten minutes later. */
function flood(alerts: number): AlertHistory {
  const history = new AlertHistory(partitionOf);
  for (let i = 0; i < alerts; i++) history.open(`s${i}`, i / alerts, Severity.HIGH);
  for (let i = 1; i <= alerts / 2; i++) history.close(i, 10 + i / alerts);
  return history;
}

/** Alerts of a thousand sensors at random times of 30 days, each an hour long; every tenth takes another sensor along. */
function month(alerts: number): AlertHistory {
  const random = new Random(1);
  const history = new AlertHistory(partitionOf);
  const ends: { readonly alertId: number; readonly minute: number }[] = [];
  for (let minute = 0; ends.length < alerts; minute += (random.next() * 2 * 30 * 24 * 60) / alerts) {
    const sensor = random.between(0, 999);
    ends.push({ alertId: history.open(`s${sensor}`, minute), minute: minute + 60 });
    if (sensor % 10 === 0) ends.push({ alertId: history.open(`s${sensor + 1}`, minute + 1), minute: minute + 61 });
  }
  for (const { alertId, minute } of ends) history.close(alertId, minute);
  return history;
}

function partitionOf(sensorId: string): number {
  return Number(sensorId.slice(1)) % PARTITIONS;
}

function foldAll(events: readonly AlertEvent[]): void {
  const inputs = events.map((event, i) => {
    const number = Number(event.alert!.sensorId.slice(1));
    return inputOf(i + 1, event, { owner: `owner ${number % OWNERS}`, asset: assetOf(number), attributes: {} });
  });
  const state = new State();
  for (const input of inputs) {
    fold(state, input, SETTINGS);
    state.changes.clear();
  }
}

function assetOf(sensor: number): string {
  return `site/line-${sensor % 200}/machine-${sensor % 1000}`;
}

async function register(sql: Sql, sensors: number): Promise<void> {
  await sql`insert into sensor_profile (sensor_id, owner, asset, revision, updated_us, updated_by)
    select 's' || i, 'owner ' || i % ${OWNERS}::int, 'site/line-' || i % 200 || '/machine-' || i % 1000, 1, 0, 'bench'
    from generate_series(0, ${sensors}) i`;
}

async function deriveAll(sql: Sql): Promise<void> {
  let state: State | undefined;
  for (;;) {
    const step = await transaction(sql, (tx) => derive(tx, SETTINGS, state));
    state = step.state;
    if (step.events === 0) return;
  }
}

/** CPU time of the processes for each event, with the time that it took beside it. */
async function row(
  name: string,
  events: readonly AlertEvent[],
  pids: readonly number[],
  work: () => Promise<void>,
): Promise<StorageRow> {
  const [before, started] = [cpuOf(pids), performance.now()];
  await work();
  const ms = Math.round(performance.now() - started);
  const seconds = sum(difference(before, cpuOf(pids)));
  return { name, value: (1e6 * seconds) / events.length, unit: "us", beside: { events: events.length, ms } };
}
