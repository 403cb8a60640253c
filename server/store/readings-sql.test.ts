import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { anyPoints } from "../../testing/points.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { REASONS } from "../detect/index.ts";
import { silentLogger } from "../observe/logger.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../postgres/embedded.ts";
import { migrate } from "../postgres/migrate.ts";
import { decodeBlock, encodeBlock, maxBlockBytes } from "./block.ts";
import { encodeCold, maxColdBytes } from "./cold.ts";
import { startMaintenance } from "./maintenance.ts";
import { createPoints, decimalsOf, type Points } from "./points.ts";
import { openStoreSql } from "./postgres.ts";

/** What SQL must give for the points; doubles compare to the bit. */
function wanted(p: Points) {
  return Array.from({ length: p.length }, (_, i) => ({
    observed_us: p.timeUs[i],
    value: p.value[i],
    confidence: p.confidence[i],
    score: p.score[i],
    reason: p.reason[i],
    anomaly: p.anomaly[i] === 1,
    late: (p.mark[i]! & 1) === 1,
    expected: p.expected[i],
    band: p.band[i],
  }));
}

async function compare(sql: Sql): Promise<void> {
  await fc.assert(
    fc.asyncProperty(anyPoints, fc.boolean(), async (points, cold) => {
      const n = points.length;
      const buffer = Buffer.alloc(maxBlockBytes(n) + maxColdBytes(n));
      const end = cold
        ? encodeCold(points, 0, n, decimalsOf(points.value, 0, n), buffer, 0)
        : encodeBlock(points, 0, n, buffer, 0);
      const bytes = buffer.subarray(0, end);
      const back = createPoints(n);
      decodeBlock(bytes, points.timeUs[0]!, points.id[0]!, back);
      const rows = await sql`select * from block_points(${bytes}, ${points.timeUs[0]!}::bigint)`;
      expect(rows.map((r) => ({ ...r }))).toEqual(wanted(back));
    }),
    { numRuns: 300 },
  );
}

describeWith(["postgres"], "readings in SQL", () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  test("blocks of both layouts decode to the bit, in the server that is installed", async () => {
    const stored = await Stored.create(server.url, "decode");
    await compare(stored.sql);
    await stored.close();
  }, 60_000);

  test("readings() gives a sensor's readings of a range once, in order, new and compacted, with their reasons", async () => {
    const stored = await Stored.create(server.url, "readings");
    const maintenance = startMaintenance({ sql: stored.url, logger: silentLogger(), retentionDays: 0, manual: true });
    const start = Date.UTC(2026, 9, 31, 23, 59) * 1000;
    const given = Array.from({ length: 300 }, (_, i) => ({
      timeUs: start + i * 1e6 + 1,
      value: i / 10,
      anomaly: i === 77,
    }));
    await stored.commit(
      new Map([
        ["s", given.slice(0, 200)],
        ["t", given],
      ]),
    );
    await maintenance.compactNow();
    await stored.commit(new Map([["s", given.slice(200)]]));
    const all = await stored.sql`select extract(epoch from observed_at)::text as t, * from readings('s')`;
    expect(all.map((r) => r.value)).toEqual(given.map((g) => g.value));
    expect(all[1]!.t).toBe(`${start / 1e6 + 1}.000001`);
    expect(all[77]).toMatchObject({
      is_anomaly: true,
      anomaly_score: 0.5,
      reason: REASONS[3],
      lower_bound: Math.fround(7.95) - 1.5,
      upper_bound: Math.fround(7.95) + 1.5,
    });
    expect(all[78]).toMatchObject({ is_anomaly: false, reason: null });
    const [part] = await stored.sql`
      select count(*)::int as n, min(value) as least from readings('s', '2026-11-01 00:00:00.000001Z', '2026-11-01 00:02:30.000001Z')`;
    expect(part).toEqual({ n: 150, least: 6 });
    await maintenance.close();
    await stored.close();
  }, 30_000);
});

describe("readings in SQL of the embedded server", () => {
  let dataDir: string;
  let server: EmbeddedPostgres;
  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), "telltale-sql-"));
    server = await startEmbeddedPostgres({ dataDir, logger: silentLogger() });
  }, 60_000);
  afterAll(async () => {
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  test("blocks of both layouts decode to the bit", async () => {
    const sql = openStoreSql({ ...server.address }, 1);
    await migrate(sql);
    await compare(sql);
    await sql.end();
  }, 60_000);
});
