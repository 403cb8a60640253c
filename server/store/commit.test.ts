import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { silentLogger } from "../observe/logger.ts";
import { noChanges } from "../scoring/rows.ts";
import { BlockRows } from "./blocks.ts";
import { Committer } from "./commit.ts";
import { rollGeneration } from "./compact.ts";
import { createPoints } from "./points.ts";
import { openStoreSql } from "./postgres.ts";
import type { AlertRow, Commit, SeriesChanges } from "./store.ts";

const T0 = 1.7e15;

describeWith(["postgres"], "commits of several partitions", () => {
  let server: TestPostgres;
  let stored: Awaited<ReturnType<typeof Stored.create>>;
  let made = 0;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());
  beforeEach(async () => {
    stored = await Stored.create(server.url, `commits_${made++}`);
    for (const p of [0, 1, 2, 3]) await stored.store.readPartition(p);
    return () => stored.close();
  });

  /** One reading of series 100 + partition at the time, with nothing beside it but what is asked for. */
  function commit(partition: number, expected: number, more: Partial<Commit> = {}): Commit {
    const rows = new BlockRows(1);
    const points = createPoints(1);
    points.length = 1;
    points.timeUs[0] = T0 + expected;
    points.value[0] = expected;
    rows.add(100 + partition, 1, points, 0, 1);
    const none = {
      replayOffset: 0,
      replayTick: 0,
      replayReceivedUs: 0,
      replayTickedUs: 0,
      tick: 0,
      receivedUs: 0,
      nextEvent: 1,
      stateEpoch: 0,
    };
    return {
      partition,
      expectedOffset: expected,
      next: { ...none, nextOffset: expected + 1 },
      readings: 1,
      anomalies: 0,
      late: 0,
      blocks: rows.finish(),
      changes: noChanges(),
      alerts: [],
      events: [],
      metadata: [],
      chunks: [],
      settings: [],
      outcomes: [],
      ...more,
    };
  }

  const offsets = async () => {
    const rows = await stored.sql`select next_offset from log_partition order by partition`;
    return rows.map((r) => r.next_offset);
  };
  /** Series of the blocks in each generation. */
  const blocks = async () => {
    const rows =
      await stored.sql`select generation, string_agg(series::text, ',' order by series) as series from block_new group by 1 order by 1`;
    return rows.map((r) => [r.generation, r.series]);
  };

  test("those that come together share a transaction, and all of each is in", async () => {
    const chunk = (n: number) => [{ chunk: n, asOf: 1, version: "v", bytes: new Uint8Array(5000).fill(n) }];
    const first = stored.store.commit(commit(0, 0, { chunks: chunk(0) }));
    const others = [1, 2, 3].map((p) => stored.store.commit(commit(p, 0, { chunks: chunk(p) })));
    await Promise.all([first, ...others]);
    expect(await offsets()).toEqual([1, 1, 1, 1]);
    const made =
      await stored.sql`select xmin::text, string_agg(partition::text, ',' order by partition) as p from log_partition group by 1 order by 2`;
    expect(made.map((r) => r.p)).toEqual(["0,1,2,3"]);
    expect(await blocks()).toEqual([[1, "100,101,102,103"]]);
    for (const p of [0, 1, 2, 3]) {
      const chunks = await Array.fromAsync(stored.store.readChunks(p));
      expect(chunks).toEqual([{ chunk: p, asOf: 1, version: "v", bytes: Buffer.alloc(5000, p) }]);
    }
  });

  test("state of more chunks than come in one answer is read in their order, that of the senders first", async () => {
    const numbers = [-1, ...Array.from({ length: 70 }, (_, n) => n)];
    const chunks = numbers.map((chunk) => ({
      chunk,
      asOf: 2 ** 40,
      version: `v${chunk}`,
      bytes: Buffer.from([chunk + 1]),
    }));
    await stored.store.commit(commit(0, 0, { chunks: chunks.toReversed() }));
    expect(await Array.fromAsync(stored.store.readChunks(0))).toEqual(chunks);
    expect(await stored.store.readChunkVersions(0)).toHaveLength(71);
    expect(await Array.fromAsync(stored.store.readChunks(1))).toEqual([]);
  });

  test("sums are the same whether columns of changes are left out or not, and stay finite", async () => {
    const key = (sensorId: string) => ({ sensorId, sensorType: "t", unit: "C", location: undefined });
    const [a, b] = (await stored.store.addSeries(0, [key("a"), key("b")])) as [number, number];
    /** A single reading, of which nothing is to be said but itself. */
    const single = (series: number, us: number, value: number): SeriesChanges => ({
      ...{
        series: [series],
        readings: [1],
        total: [value],
        smallest: [value],
        largest: [value],
        anomalies: [0],
        late: [0],
      },
      ...{ firstUs: [us], newestUs: [us], lastUs: [us], lastId: [us + 1], lastValue: [value] },
      ...{ lastScore: [0], lastAnomaly: [false] },
    });
    /** Two readings of which the second is flagged, and one that is late. */
    const three: SeriesChanges = {
      ...{ series: [b], readings: [3], total: [6], smallest: [-1], largest: [4], anomalies: [1], late: [1] },
      ...{
        firstUs: [5],
        newestUs: [30],
        lastUs: [30],
        lastId: [31],
        lastValue: [4],
        lastScore: [9000],
        lastAnomaly: [true],
      },
    };
    const changes = [single(a, 10, 2.5), single(a, 20, 1.7e308), single(a, 30, 1.7e308), single(b, 20, 3), three];
    for (const [offset, each] of changes.entries()) {
      await stored.store.commit(commit(0, offset, { changes: each }));
    }
    const offset = changes.length;
    // In one transaction, of which one has columns that the other leaves out.
    const [c] = await stored.store.addSeries(1, [key("c")]);
    const late = { ...three, lastUs: [-1], lastValue: [0], lastId: [0], lastScore: [0], lastAnomaly: [false] };
    await Promise.all([
      stored.store.commit(commit(0, offset, { changes: late })),
      stored.store.commit(commit(1, 0, { changes: single(c!, 40, 7) })),
    ]);
    const rows =
      await stored.sql`select sensor_id, readings, total, smallest, largest, anomalies, late, first_us, newest_us,
      last_us, last_id, last_value, last_score, last_anomaly from series order by sensor_id`;
    expect(rows.map((r) => Object.values(r))).toEqual([
      ["a", 3, Number.MAX_VALUE, 2.5, 1.7e308, 0, 0, 10, 30, 30, 31, 1.7e308, 0, false],
      ["b", 7, 15, -1, 4, 2, 2, 5, 30, 30, 31, 4, 9000, true],
      ["c", 1, 7, 7, 7, 0, 0, 40, 40, 40, 41, 7, 0, false],
    ]);
  });

  test("one whose partition has another owner fails by itself, and changes nothing", async () => {
    await stored.sql`update log_partition set next_offset = 7 where partition = 2`;
    const results = await Promise.allSettled([0, 1, 2, 3].map((p) => stored.store.commit(commit(p, 0))));
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled"]);
    expect(String((results[2] as PromiseRejectedResult).reason)).toContain("partition 2 is at offset 7, not 0");
    expect(await offsets()).toEqual([1, 1, 7, 1]);
    expect(await blocks()).toEqual([[1, "100,101,103"]]);
  });

  test("one that the database refuses fails by itself", async () => {
    const twice = { alerts: [alert({ id: 1, severity: 99_999 })] };
    const results = await Promise.allSettled(
      [0, 1, 2].map((p) => stored.store.commit(commit(p, 0, p === 2 ? twice : {}))),
    );
    expect(results.map((r) => r.status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(await offsets()).toEqual([1, 1, 0, 0]);
  });

  test("blocks go to the generation that is open when they are committed", async () => {
    await stored.store.commit(commit(0, 0));
    await rollGeneration(stored.sql);
    await Promise.all([0, 1].map((p) => stored.store.commit(commit(p, p === 0 ? 1 : 0))));
    expect(await blocks()).toEqual([
      [1, "100"],
      [2, "100,101"],
    ]);
  });

  test("sessions that are cut at any moment cost no commit and double none", async () => {
    const rounds = 80;
    let next = Promise.withResolvers<void>();
    const committing = Promise.all(
      [0, 1, 2, 3].map(async (p) => {
        for (let n = 0; n < rounds; n++) {
          await stored.store.commit(commit(p, n));
          next.resolve();
        }
      }),
    );
    let over = false;
    const end = committing.finally(() => {
      over = true;
    });
    let cuts = 0;
    // Each costs a pause, a session and its first plans.
    while (!over && cuts < 20) {
      next = Promise.withResolvers();
      const [row] = await stored.sql`select count(pg_terminate_backend(pid))::int as n
        from pg_sleep(random() * 0.02), pg_stat_activity
        where datname = current_database() and state = 'active' and query like 'select store_commit%'`;
      cuts += row!.n as number;
      // A new session makes its plans in its first commit: where that takes longer than the next cut does, none would ever come through.
      if (row!.n > 0) await Promise.race([next.promise, end]);
    }
    await committing;
    expect(cuts).toBeGreaterThan(0);
    expect(await offsets()).toEqual([rounds, rounds, rounds, rounds]);
    const found =
      await stored.sql`select series, count(*)::int as n, count(distinct first_us)::int as times from block_new group by 1`;
    expect(found.length).toBe(4);
    for (const r of found) expect(r).toMatchObject({ n: rounds, times: rounds });
  });

  test("one whose fate cannot be found out fails, and those behind it are committed", async () => {
    const sql = openStoreSql(stored.url, 1);
    const committer = new Committer(sql, silentLogger(), async (partition) => {
      if (partition === 0) throw new Error("no such partition");
      return (await stored.store.readPartition(partition)).nextOffset;
    });
    const locked = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const holding = stored.sql.begin(async (tx) => {
      await tx`select from log_partition where partition = 0 for update`;
      locked.resolve();
      await free.promise;
    });
    await locked.promise;
    const lost = committer.commit(commit(0, 0));
    const failed = expect(lost).rejects.toThrow("no such partition");
    for (let cut = 0; cut === 0; ) {
      const [row] = await stored.sql`select count(pg_terminate_backend(pid))::int as n from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like 'select store_commit%'`;
      cut = row!.n as number;
    }
    await failed;
    free.resolve();
    await holding;
    await committer.commit(commit(1, 0));
    expect(await offsets()).toEqual([0, 1, 0, 0]);
    await committer.close();
  });

  test("texts are kept as they are, whatever is in them", async () => {
    const texts = [`'; drop table alert; --`, "\\'\\\\ \n\t", "Ωμέγα 漢字 🙂", '"{}",[null]', "$$ $1 :name"];
    const alerts = texts.map((text, i) => alert({ id: i + 1, sensorId: text, message: text, acknowledgedBy: text }));
    await stored.store.commit(commit(0, 0, { alerts }));
    expect(await stored.store.readAlerts(alerts.map((a) => a.id))).toEqual(expect.arrayContaining(alerts));
    // Again with other values: an alert is changed in its place.
    const later = alerts.map((a) => ({ ...a, closedUs: T0 + 5, threshold: -0.1, readings: 4, label: undefined }));
    await stored.store.commit(commit(0, 1, { alerts: later }));
    const found = await stored.store.readAlerts(alerts.map((a) => a.id));
    expect(found.map((a) => [a.message, a.closedUs, a.threshold, a.readings]).sort()).toEqual(
      texts.map((text) => [text, T0 + 5, -0.1, 4]).sort(),
    );
  });
});

function alert(more: Partial<AlertRow>): AlertRow {
  return {
    id: 1,
    sensorId: "s",
    sensorType: "t",
    alertType: "anomaly_detection",
    severity: 3,
    message: "m",
    score: 0.12345678901234566,
    value: 1e-300,
    threshold: null,
    openedUs: T0,
    lastSeenUs: T0 + 1,
    closedUs: null,
    acknowledgedUs: null,
    acknowledgedBy: "",
    resolvedBy: "",
    state: 1,
    readings: 2,
    detector: "d",
    confidence: 0.1 + 0.2,
    expected: null,
    modelVersion: "v",
    ...more,
  };
}
