/** What people want of assets gets into the log, on a real database: with a scorer that commits, dies, or does not answer. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { pino } from "pino";
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Control, ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { Bench, START } from "../../testing/owner-bench.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { encodeField, encodeRecord } from "../log/record/encode.ts";
import { openStoreSql } from "../store/postgres.ts";
import { Queries } from "../store/queries.ts";
import { AssetSync } from "./asset-sync.ts";
import { SettingsBook } from "./settings-book.ts";

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres.stop());

const SENSORS = 4_500;
const wanted = (asset: string, id: string, rangeMax?: number) => ({
  asset,
  empty: rangeMax === undefined,
  control: toBinary(
    ControlSchema,
    create(ControlSchema, {
      id,
      action: {
        case: "assetSettings",
        value: { config: { asset, ...(rangeMax === undefined ? {} : { rangeMax }) } },
      },
    }),
  ),
});

/** An installation of one partition, whose scorer takes `most` records and then does not answer any more. */
async function installation() {
  const bench = await Bench.open(postgres.url);
  const state = { most: Number.POSITIVE_INFINITY, logged: [] as Control[] };
  let last = Promise.resolve();
  const submitter = {
    control: (_: number, bytes: Uint8Array) => {
      if (state.logged.length >= state.most) return new Promise<never>(() => {});
      state.logged.push(fromBinary(ControlSchema, bytes));
      last = last.then(() => bench.append([encodeRecord(START + 1e6 * state.logged.length, [encodeField(5, bytes)])]));
      return last;
    },
  };
  const sync = (sql: Sql = bench.sql) => {
    const book = new SettingsBook(new Queries(sql), 1);
    return new AssetSync({ sql, book, partitions: 1, submitter, logger: pino({ level: "silent" }) });
  };
  const put = (asset: string, from: number, to: number) => bench.sql`
    insert into sensor_profile (sensor_id, display_name, description, owner, runbook_url, asset, tags, attributes, revision, updated_us, updated_by)
      select 's-' || i, '', '', '', '', ${asset}, '[]', '{}', 1, 0, '' from generate_series(${from}::int, ${to - 1}::int) i
      on conflict (sensor_id) do update set asset = excluded.asset`;
  const placed = async () =>
    (await bench.sql`select asset, count(*)::int as n from sensor_place group by 1 order by 1`).map((r) => [
      r.asset,
      r.n,
    ]);
  return { bench, state, sync, put, placed };
}

test("a process that ends in the middle leaves the rest to the next one, places before settings, and nothing is logged without settings", async () => {
  const { bench, state, sync, put, placed } = await installation();
  await put("site/a", 0, SENSORS);
  const first = sync();
  await first.run();
  expect(state.logged).toEqual([]);
  await first.want(wanted("site", "c1", 5));
  state.most = 1;
  const ends = first.run();
  await expect.poll(placed, { timeout: 20_000 }).toEqual([["site/a", 2_000]]);
  // Another process, which ends while it waits for its turn.
  const other = openStoreSql(bench.url, 1, 60_000, "waits");
  const waiting = sync(other);
  const waits = waiting.run();
  const ended = expect(waits).rejects.toThrow();
  const asked = () =>
    bench.sql`select pid from pg_stat_activity where application_name = 'waits' and query like '%advisory%'`;
  await expect.poll(asked).toHaveLength(1);
  await waiting.close();
  await ended;
  await other.end();
  expect((await first.wanted("site"))?.rangeMax).toBe(5);
  expect(await first.wanted("site/a")).toBeUndefined();
  await first.close();
  await expect(ends).rejects.toThrow();
  const second = sync();
  expect(await second.pending("site/a")).toBe(SENSORS - 2_000 + 1);
  state.most = Number.POSITIVE_INFINITY;
  await second.run();
  expect(state.logged.map(({ action }) => action.case)).toEqual([
    ...["placeSensors", "placeSensors", "placeSensors", "assetSettings"],
  ]);
  expect(await placed()).toEqual([["site/a", SENSORS]]);
  expect(await second.pending("site/a")).toBe(0);

  await put("elsewhere", 0, 3);
  await second.run(["s-0", "s-1"]);
  expect(await placed()).toEqual([
    ["elsewhere", 2],
    ["site/a", SENSORS - 2],
  ]);
  expect(await second.pending("site")).toBe(1);
  await second.want(wanted("site", "c2"));
  await second.run();
  expect(await bench.sql`select * from asset_settings`).toHaveLength(0);
  const before = state.logged.length;
  await second.run();
  expect(state.logged).toHaveLength(before);
  await second.close();
  await bench.close();
});
