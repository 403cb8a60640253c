import type { Sql } from "postgres";
import { beforeAll, expect, test } from "vitest";
import { AlertHistory, storeAlerts, storeEvents } from "../../../testing/alert-events.ts";
import { describeWith } from "../../../testing/needs.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { openStoreSql } from "../../store/postgres.ts";
import { hiddenBy } from "./hidden.ts";
import type { Silence } from "./silence.ts";

const BEGIN_US = Date.UTC(2026, 10, 1) * 1_000;
const MINUTE_US = 60_000_000;
/** Alerts that were over before the silence began: a year of them. */
const LONG_OVER = 20_000;

describeWith(["postgres"], "what a silence hid", () => {
  let sql: Sql;
  let url: string;
  useDatabase("hidden", (database) => {
    ({ sql, url } = database);
  });
  const silence = (given: Partial<Silence> = {}) =>
    ({
      ...{
        id: "x",
        matchers: [{ name: "asset", operator: "=", value: "" }],
        sensorPrefix: "",
        author: "ann",
        comment: "",
      },
      ...{ startsUs: BEGIN_US + 10 * MINUTE_US, endsUs: BEGIN_US + 20 * MINUTE_US, ...given },
    }) as unknown as Silence;

  beforeAll(async () => {
    const history = new AlertHistory();
    const times: [string, number, number | undefined][] = [
      ["over before", 1, 9],
      ["over within", 2, 12],
      ["within", 11, 19],
      ["still open", 3, undefined],
      ["over since", 15, 30],
      ["after", 21, 22],
      ["after, open", 21, undefined],
    ];
    for (const [name, opened, closed] of times) {
      const id = history.open(name, opened);
      if (closed !== undefined) history.close(id, closed);
    }
    await storeAlerts(sql, history.events);
    await storeEvents(sql, history.events);
    for (const [i, [, opened, closed]] of times.entries()) {
      const closedUs = closed === undefined ? null : BEGIN_US + closed * MINUTE_US;
      await sql`update alert set opened_us = ${BEGIN_US + opened * MINUTE_US}, closed_us = ${closedUs} where id = ${i + 1}`;
    }
  });

  test("is what was open at some time of it, and within its prefix", async () => {
    const hidden = async (given: Partial<Silence> = {}) => {
      const { alerts, isTruncated } = await hiddenBy(sql, silence(given));
      return [alerts.map(({ labels }) => labels.sensor_id).sort(), isTruncated];
    };
    expect(await hidden()).toEqual([["over since", "over within", "still open", "within"], false]);
    expect(await hidden({ sensorPrefix: "over" })).toEqual([["over since", "over within"], false]);
  });

  test("is found without a look at what was over long before", async () => {
    await sql`insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value,
        opened_us, last_seen_us, closed_us, state, readings, detector, confidence, model_version)
      select 1000 + i, 0, 'old', '', '', 1, '', 0, 0, i, i, i + 1, 2, 0, '', 0, '' from generate_series(1, ${LONG_OVER}) i`;
    await sql`analyze alert`;
    // Of one session: what it has read is counted when it says so.
    const one = openStoreSql(url, 1);
    const rowsRead = async () => {
      await one`select pg_stat_force_next_flush()`;
      const [row] = await one`select coalesce(idx_tup_fetch, 0) + seq_tup_read as read
        from pg_stat_user_tables where relname = 'alert'`;
      return Number(row!.read);
    };
    const before = await rowsRead();
    await hiddenBy(one, silence());
    const read = (await rowsRead()) - before;
    await one.end();
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(LONG_OVER / 10);
  });
});
