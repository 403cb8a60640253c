import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { DiskBuffer } from "../client/disk-buffer.ts";
import { silentLogger } from "../server/observe/logger.ts";
import type { CollectorSettings } from "./config/settings.ts";
import { createCounters } from "./counters.ts";
import { Spool } from "./spool.ts";

function settingsOf(folder: string, tokenFile?: string): CollectorSettings {
  // Nobody listens there.
  const platform = { url: "http://127.0.0.1:1", tokenFile, caFile: undefined, certFile: undefined, keyFile: undefined };
  return {
    producer: "test",
    platform,
    spool: { folder, maxBytes: 5_000, fsync: "batch" },
    metricsPort: undefined,
  };
}

test("a token file that cannot be read is named by its setting in the log", async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-spool-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const said = Promise.withResolvers<string>();
  const sampled = { say: (_key: string, fields: object) => said.resolve(JSON.stringify(fields)) };
  const parts = { counters: createCounters(), logger: silentLogger(), sampled };
  const spool = await Spool.open(settingsOf(folder, join(folder, "none")), parts);
  spool.offer([{ sensorId: "a", sensorType: "t", unit: "C", value: 1, observedAtUs: 1 }]);
  expect(await said.promise).toMatch(/platform\.token_file cannot be read: ENOENT/);
  await spool.close(AbortSignal.abort(new Error("at once")));
});

test("a damaged part of it is counted and named in the log, and what stands behind is kept", async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-spool-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = { ...settingsOf(folder), spool: { folder, maxBytes: 10_000_000, fsync: "never" as const } };
  const sampled = { say: () => {} };
  const first = await Spool.open(settings, { counters: createCounters(), logger: silentLogger(), sampled });
  for (const value of [1, 2])
    await first.store([{ sensorId: "a", sensorType: "t", unit: "C", value, observedAtUs: 1 }]);
  await first.close(AbortSignal.abort(new Error("at once")));
  const path = join(folder, "0000000001.seg");
  const bytes = readFileSync(path);
  const length = 8 + bytes.readUInt32LE(0);
  bytes[length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const said: unknown[] = [];
  const logger = { ...silentLogger(), error: (...line: unknown[]) => said.push(line) } as ReturnType<
    typeof silentLogger
  >;
  const counters = createCounters();
  const second = await Spool.open(settings, { counters, logger, sampled });
  expect(second.pending).toBe(1);
  expect(said).toEqual([[{ path, at: 0, bytes: length }, "a part of the spool holds no whole batch and is left out"]]);
  expect(await counters.registry.metrics()).toContain("telltale_collect_spool_damaged_total 1\n");
  await second.close(AbortSignal.abort(new Error("at once")));
});

test("readings stay in their order where more come while others are on their way", async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-spool-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = { ...settingsOf(folder), spool: { folder, maxBytes: 10_000_000, fsync: "never" as const } };
  const parts = { counters: createCounters(), logger: silentLogger(), sampled: { say: () => {} } };
  const spool = await Spool.open(settings, parts);
  const some = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({
      ...{ sensorId: "a", sensorType: "t", unit: "C", value: from + i, observedAtUs: 1e6 * (from + i) },
    }));
  spool.offer(some(0, 5_000));
  spool.offer(some(5_000, 100));
  await spool.store(some(5_100, 1));
  expect(await spool.close(AbortSignal.abort(new Error("at once")))).toBe(5_101);
  const buffer = new DiskBuffer(folder, 10_000_000, "never");
  const values: (number | undefined)[] = [];
  for (const batch of await buffer.open()) {
    const { readings, blocks } = await buffer.load(batch);
    values.push(...readings.map(({ value }) => value), ...blocks.flatMap((block) => block.values));
  }
  await buffer.close();
  expect(values).toEqual(Array.from({ length: 5_101 }, (_, i) => i));
});

test("a full spool leaves out the newest, counts them, and keeps what it has for the next start", async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-spool-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const settings = settingsOf(folder);
  const open = async () => {
    const counters = createCounters();
    return {
      counters,
      spool: await Spool.open(settings, { counters, logger: silentLogger(), sampled: { say: () => {} } }),
    };
  };
  const reading = (i: number) => ({ sensorId: "a", sensorType: "t", unit: "C", value: i, observedAtUs: 1e6 * i });
  const { counters, spool } = await open();
  // As a source does: it does not wait, but things go on.
  let offered = 0;
  for (; !spool.isFull; offered++) {
    spool.offer([reading(offered)]);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(counters.totals.spooled).toBeGreaterThan(20);
  const before = counters.totals.lost;
  expect(spool.offer([reading(-1), reading(-2)])).toBe(false);
  expect(counters.totals.lost).toBe(before + 2);
  const ending = new AbortController();
  const room = spool.room(ending.signal);
  ending.abort(new Error("no room"));
  await expect(room).rejects.toThrow("no room");
  const left = await spool.close(AbortSignal.abort(new Error("at once")));
  // Those that waited for room in memory are gone with the process. One whose sync was under way is not.
  const { spooled } = counters.totals;
  expect([left, spooled + counters.totals.lost]).toEqual([spooled, offered + 2]);
  const again = await open();
  expect(again.spool.pending).toBe(spooled);
  await again.spool.close(AbortSignal.abort(new Error("at once")));
}, 60_000);

test("of readings that get no room as a whole, those on disk are counted as stored and the others as lost", async () => {
  const folder = mkdtempSync(join(tmpdir(), "telltale-spool-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const refused = Promise.withResolvers<void>();
  const open = async () => {
    const counters = createCounters();
    const parts = { counters, logger: silentLogger(), sampled: { say: () => refused.resolve() } };
    return { counters, spool: await Spool.open(settingsOf(folder), parts) };
  };
  const { counters, spool } = await open();
  const readings = Array.from({ length: 3_000 }, (_, i) => ({
    ...{ sensorId: "a", sensorType: "t", unit: "C", value: i, observedAtUs: 1e6 * i },
  }));
  // The client makes three batches of them, of which each alone is more than there may be: the first gets in.
  expect(spool.offer(readings)).toBe(true);
  // Nothing is sent before it is on disk, and nobody is there to take it.
  await refused.promise;
  expect(await spool.close(AbortSignal.abort(new Error("at once")))).toBe(1_000);
  expect(counters.totals).toMatchObject({ spooled: 1_000, lost: 2_000 });
  const again = await open();
  expect(again.spool.pending).toBe(1_000);
  await again.spool.close(AbortSignal.abort(new Error("at once")));
});
