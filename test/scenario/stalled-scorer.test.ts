/** The database stands still for half a minute: callers are told to try again, nothing acknowledged is lost, and the counts add up. */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { STALLED_AFTER_MS } from "../../server/observe/progress.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";

const CALLERS = 20;
/** Callers by how long they wait, milliseconds: each is answered after its own time and before that of the next. */
const WAITS = [
  { kind: "impatient", ms: 2_000, says: /^the operation timed out$/ },
  { kind: "rest", ms: 10_000, says: /^the operation timed out$/ },
  {
    kind: "grpc",
    ms: 30_000,
    says: /^the readings were not settled within 30 s: .* or send them again with the same times$/,
  },
] as const;
/** The log's time records advance a partition once a second, the last time perhaps before the stall. */
const STALL_SEEN_MS = STALLED_AFTER_MS - 2_000;
const SENDERS = 4;

let server: TestPostgres;
let platform: Platform;
let locks: postgres.Sql;
beforeAll(async () => {
  server = await startPostgres();
  platform = await startPlatform({ DATABASE_URL: server.url, PARTITIONS: "2" });
  locks = postgres(server.url, { max: 1, onnotice: () => undefined });
}, 120_000);
afterAll(async () => {
  await platform?.stop();
  await locks?.end();
  await server?.stop();
});

interface Told {
  readonly sensor: string;
  readonly stored: boolean;
  readonly message: string;
  readonly tookMs: number;
}

const at = (i: number) => ({ seconds: BigInt(1_700_000_000 + i), nanos: 0 });
const grpc = () => createClient(IngestService, createGrpcTransport({ baseUrl: platform.grpc }));

async function byGrpc(sensorId: string, i: number, timeoutMs?: number): Promise<Told> {
  const began = performance.now();
  const reading = { sensorId, sensorType: "t", unit: "C", value: i, observedAt: at(i) };
  try {
    const { counts } = await grpc().submitReadings(
      { readings: [reading] },
      timeoutMs === undefined ? {} : { timeoutMs },
    );
    expect((counts?.accepted ?? 0n) + (counts?.duplicate ?? 0n)).toBe(1n);
    return { sensor: sensorId, stored: true, message: "", tookMs: performance.now() - began };
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    expect([Code.DeadlineExceeded, Code.Unavailable, Code.ResourceExhausted]).toContain(code);
    return { sensor: sensorId, stored: false, message: rawMessage, tookMs: performance.now() - began };
  }
}

async function byRest(sensorId: string, i: number): Promise<Told> {
  const began = performance.now();
  const response = await fetch(`${platform.http}/api/v1/sensors/data`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ sensor_id: sensorId, sensor_type: "t", unit: "C", value: i },
      observed_at: new Date(Number(at(i).seconds) * 1000).toISOString(),
    }),
  });
  const body = (await response.json()) as { detail?: string };
  const tookMs = performance.now() - began;
  if (response.status === 200 || response.status === 201)
    return { sensor: sensorId, stored: true, message: "", tookMs };
  expect([503, 504]).toContain(response.status);
  return { sensor: sensorId, stored: false, message: String(body.detail), tookMs };
}

/** All callers at once, each with a sensor of its own. */
function callers(): Promise<Told[]> {
  return Promise.all(
    Array.from({ length: CALLERS }, (_, i) => [
      byRest(`rest-${i}`, i),
      byGrpc(`grpc-${i}`, i),
      byGrpc(`impatient-${i}`, i, 2_000),
    ]).flat(),
  );
}

const stats = async () =>
  (await (
    await fetch(`${platform.http}/api/v1/monitoring/stats`, { headers: { "cache-control": "no-cache" } })
  ).json()) as {
    total_data_points: number;
  };

test("callers that wait for a commit that does not come are told so in a sentence, and all of theirs are stored once", async () => {
  expect((await byRest("before", 0)).stored).toBe(true);
  const release = Promise.withResolvers<void>();
  const locked = Promise.withResolvers<void>();
  // The log goes on: what comes in is durable, and not one commit of the scorer goes through.
  const holding = locks.begin(async (tx) => {
    await tx`lock table log_partition in access exclusive mode`;
    locked.resolve();
    await release.promise;
  });
  await locked.promise;
  const stalledAt = performance.now();
  const unready = vi
    .waitFor(async () => expect((await fetch(`${platform.grpc}/health`)).status).toBe(503), {
      timeout: 90_000,
      interval: 200,
    })
    .then(() => performance.now());
  const told = await callers();
  expect(told.filter(({ stored }) => stored)).toEqual([]);
  for (const [i, { kind, ms, says }] of WAITS.entries()) {
    const answers = told.filter(({ sensor }) => sensor.startsWith(`${kind}-`));
    expect(answers).toHaveLength(CALLERS);
    for (const { sensor, message, tookMs } of answers) {
      expect(message, sensor).toMatch(says);
      // Timers of two clocks may differ by a millisecond or two.
      expect(tookMs, sensor).toBeGreaterThan(ms - 50);
      expect(tookMs, sensor).toBeLessThan(WAITS[i + 1]?.ms ?? 2 * ms);
    }
  }
  expect((await unready) - stalledAt).toBeGreaterThan(STALL_SEEN_MS);
  release.resolve();
  await holding;

  // Sent again, each is stored once, whichever copy came through.
  const again = await callers();
  expect(again.filter(({ stored }) => !stored)).toEqual([]);
  await vi.waitFor(async () => expect((await stats()).total_data_points).toBe(1 + 3 * CALLERS), { timeout: 30_000 });
  await vi.waitFor(async () => expect((await fetch(`${platform.grpc}/health`)).status).toBe(200), { timeout: 30_000 });
  const rows = await locks`select sensor_id, readings from series where readings <> 1`;
  expect(rows).toEqual([]);
}, 240_000);

test("a database that says nothing at all for a while loses nothing that was acknowledged", async () => {
  const before = (await stats()).total_data_points;
  const acknowledged = new Set<string>();
  const refusals = Array.from({ length: SENDERS }, () => 0);
  let stop = false;
  const sender = async (n: number) => {
    for (let i = 0; !stop; i++) {
      const sensor = `s-${n}-${i}`;
      const { stored } = await byGrpc(sensor, i, 3_000);
      if (stored) acknowledged.add(sensor);
      else refusals[n]!++;
    }
  };
  const senders = refusals.map((_, n) => sender(n));
  await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(20), { timeout: 30_000 });
  server.pause();
  const paused = acknowledged.size;
  const refusedBefore = [...refusals];
  await vi.waitFor(() => expect(refusals.every((n, i) => n >= refusedBefore[i]! + 3)).toBe(true), { timeout: 60_000 });
  expect(acknowledged.size - paused, "what was on its way, one of each sender").toBeLessThanOrEqual(SENDERS);
  server.resume();
  await vi.waitFor(() => expect(acknowledged.size).toBeGreaterThan(paused + 20), { timeout: 60_000 });
  stop = true;
  await Promise.all(senders);
  // Also what no caller was told of may be stored, once as well; the counts agree when all of it is.
  const found = await vi.waitFor(
    async () => {
      const rows = await locks`select sensor_id, readings from series where sensor_id like 's-%' and readings > 0`;
      expect((await stats()).total_data_points).toBe(before + rows.length);
      return new Map(rows.map((r) => [r.sensor_id as string, Number(r.readings)]));
    },
    { timeout: 30_000, interval: 200 },
  );
  expect([...acknowledged].filter((sensor) => found.get(sensor) !== 1)).toEqual([]);
  expect([...found.values()].every((n) => n === 1)).toBe(true);
}, 180_000);
