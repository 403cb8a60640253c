import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { DAY_US } from "../lib/time.ts";
import { silentLogger } from "../observe/logger.ts";
import { fsck } from "./fsck.ts";
import { startMaintenance } from "./maintenance.ts";
import { deleteExpired } from "./retention.ts";

const T0 = Date.UTC(2026, 9, 31, 23) * 1000;

const DELETION =
  "insert into sensor_deletion (partition, log_offset, sensor_id, first_id, series, readings, deleted_us, deleted_by, finished_us)";
const ALERT =
  "insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us, last_seen_us, closed_us, state, readings, detector, confidence, model_version)";

/** What is done to the data, and the kinds of problem that must be named, and no other. */
const damages: readonly [string, string, readonly string[]][] = [
  [
    "bytes of a block are changed",
    "update block set data = set_byte(data, 0, 9) where ctid in (select ctid from block limit 1)",
    ["undecodable", "aggregate", "series sums"],
  ],
  [
    "a block is cut short",
    "update block set data = substring(data, 1, 40) where first_us = (select min(first_us) from block)",
    ["undecodable", "aggregate", "series sums"],
  ],
  [
    "a compacted block is lost",
    "delete from block where first_us = (select max(first_us) from block)",
    ["aggregate", "series sums"],
  ],
  [
    "a new block is lost",
    "delete from block_new where last_us = (select max(last_us) from block_new)",
    ["series sums"],
  ],
  [
    "a block is there twice",
    "insert into block select * from block where first_us = (select min(first_us) from block)",
    ["overlap", "duplicate", "aggregate", "series sums"],
  ],
  [
    "a compacted reading came again",
    "insert into block_new (generation, series, first_us, last_us, first_id, points, anomalies, model, data) select 4, series, first_us, last_us, first_id, points, anomalies, model, data from block where first_us = (select min(first_us) from block)",
    ["duplicate", "series sums"],
  ],
  [
    "a block's row says too much",
    "update block set points = points + 1, anomalies = 5 where first_us = (select min(first_us) from block)",
    ["block row"],
  ],
  [
    "a block is moved in time",
    "update block set first_us = first_us + 7200000000, last_us = last_us + 7200000000 where first_us = (select min(first_us) from block where first_us >= 1793491200000000)",
    ["aggregate", "series sums"],
  ],
  [
    "an aggregate is wrong",
    "update rollup set total = total + 1 where width = 3600 and bucket_us = (select min(bucket_us) from rollup where width = 3600)",
    ["aggregate"],
  ],
  ["an aggregate is lost", "delete from rollup where width = 86400", ["aggregate"]],
  [
    "sums of a series are wrong",
    "update series set total = total + 0.5, late = late + 1 where sensor_id = 'a'",
    ["series sums", "partition counts"],
  ],
  ["counts of a partition are wrong", "update log_partition set readings = readings - 1", ["partition counts"]],
  ["a series is lost", "delete from series where sensor_id = 'a'", ["unknown series", "partition counts"]],
  ["a model is lost", "delete from model", ["unknown model"]],
  [
    "an alert has no reading",
    "insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us, last_seen_us, state, readings, detector, confidence, model_version) values (1, 0, 'a', 't', 'anomaly_detection', 1, '', 0, 0, 1793487600000001, 1793487600000001, 1, 1, '', 1, '')",
    ["alert without reading"],
  ],
  [
    "alert events have a gap",
    "insert into alert (id, partition, sensor_id, sensor_type, alert_type, severity, message, score, value, opened_us, last_seen_us, state, readings, detector, confidence, model_version) values (1, 0, 'a', 't', 'silence', 1, '', 0, 0, 0, 0, 1, 1, '', 1, ''); insert into alert_event values (0, 1, 1, ''), (0, 3, 1, ''); update log_partition set next_event = 4",
    ["event numbers"],
  ],
  [
    "an event's alert is lost",
    "insert into alert_event values (0, 1, 77, ''); update log_partition set next_event = 2",
    ["event without alert"],
  ],
  [
    "something is left of a sensor whose deletion is finished",
    `${DELETION} select 0, 1, 'gone', 1000, array[999], 0, 0, '', 1; insert into rollup values (60, 999, 0, 1, 1, 1, 1, 0);
     ${ALERT} values (7, 0, 'gone', 't', 'silence', 1, '', 0, 0, 0, 0, 1, 3, 1, '', 1, '')`,
    ["alert without sensor", "deleted sensor"],
  ],
  [
    "a sensor is being deleted, which is none",
    `${DELETION} select 0, 1, 'gone', 1000, array[999], 0, 0, '', null;
     ${ALERT} values (7, 0, 'gone', 't', 'silence', 1, '', 0, 0, 0, 0, 1, 3, 1, '', 1, ''); insert into alert_event values (0, 1, 0, '');
     update log_partition set next_event = 2`,
    [],
  ],
  ["a state is newer than what is stored", "insert into state_chunk values (0, 0, 99999, 'v', 'x')", ["state"]],
  ["a state is of a partition that is not there", "insert into state_chunk values (7, 0, 1, 'v', 'x')", ["state"]],
  ["the state is rebuilt from the future", "update log_partition set replay_offset = next_offset + 1", ["offsets"]],
  [
    "more is stored than the log has",
    "create schema telltale_log; create table telltale_log.segment (id int8, first int8[]); insert into telltale_log.segment values (1, '{0}'); create table telltale_log.records_1 (partition int, \"offset\" int8)",
    ["offsets"],
  ],
];

describeWith(["postgres"], "fsck", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres({ fsync: "off" });
    const stored = await Stored.create(server.url, "sound");
    const maintenance = startMaintenance({ sql: stored.url, logger: silentLogger(), retentionDays: 0, manual: true });
    for (let k = 0; k < 30; k++) {
      const list = Array.from({ length: 100 }, (_, i) => ({
        timeUs: T0 + (k * 100 + i) * 2e6,
        value: i / 8,
        anomaly: i === 9,
      }));
      const late = k > 2 ? [{ timeUs: T0 + (k - 2) * 2e8 + 1e6, value: 1, late: true }] : [];
      await stored.commit(
        new Map([
          ["a", [...list, ...late]],
          ["b", list.slice(0, 3)],
        ]),
      );
      if (k % 10 === 4) await maintenance.compactNow();
    }
    await maintenance.close();
    await stored.close();
  }, 60_000);
  afterAll(() => server.stop());

  test("finds nothing in sound data, before and after retention", async () => {
    const report = await fsck(`${server.url.replace(/[^/]*$/, "")}sound`);
    expect(report.problems).toEqual([]);
    expect(report.readings).toBe(30 * 103 + 27);
    const { sql, url } = await Stored.copy(server.url, "sound", "expired");
    // The first of the two days, a month of its own, is deleted.
    expect((await deleteExpired(sql, 1, T0 + 2 * DAY_US - 3600e6)).months).toBe(1);
    await sql.end();
    const rest = await fsck(url);
    expect(rest.problems).toEqual([]);
    expect(rest.readings).toBeLessThan(report.readings);
  });

  for (const [name, damage, kinds] of damages) {
    test(`names it when ${name}`, async () => {
      const { sql, url } = await Stored.copy(server.url, "sound", "damaged");
      await sql.unsafe(damage).finally(() => sql.end());
      const report = await fsck(url);
      expect([...report.counts.keys()].sort(), JSON.stringify(report.problems)).toEqual([...kinds].sort());
    });
  }
});
