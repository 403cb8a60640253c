import { fromBinary } from "@bufbuild/protobuf";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { LogRecordSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { Collector } from "../../testing/collector.ts";
import { testLogger } from "../../testing/logger.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { createEmbeddedLog } from "../log/embedded.ts";
import type { Log } from "../log/log.ts";
import { encodeFragment } from "../log/record/encode.ts";
import { type Client, openClient } from "../postgres/connection.ts";
import { LogSubmitter } from "./log-submitter.ts";

let postgres: TestPostgres;
let other: Client;
let log: Log;
let submitter: LogSubmitter;

beforeAll(async () => {
  postgres = await startPostgres();
  other = openClient(postgres.url, { max: 2 });
}, 60_000);
beforeEach(async () => {
  log = await createEmbeddedLog({ sql: postgres.url, partitions: 2, logger: testLogger, appendTimeoutMs: 1_000 });
  submitter = new LogSubmitter({ log, nowUs: () => 1, logger: testLogger, maxUnsettledReadings: 1_000 });
});
afterEach(async () => {
  await log.close();
  await other.sql`drop schema telltale_log cascade`;
});
afterAll(async () => {
  await other.sql.end();
  await postgres.stop();
});

function submission(partitions: number | readonly number[], sequence: number) {
  const head = { producer: "p", epoch: 0n, sequence: BigInt(sequence), traceparent: "", echo: false };
  const fragment = { bytes: encodeFragment(head, []), readings: 1 };
  const fragments = new Map([partitions].flat().map((partition) => [partition, fragment]));
  return submitter.submit({ fragments, refusals: [], rejected: 0, total: 1, logged: () => undefined });
}

function submit(partitions: number | readonly number[], sequence: number): Promise<void> {
  return submission(partitions, sequence).durable;
}

/** Commits wait until the function is called. */
async function holdCommits(): Promise<() => Promise<void>> {
  const [newest] = await other.sql`select max(id)::text as id from telltale_log.segment`;
  const held = await other.sql.reserve();
  await held.unsafe(`begin; lock table telltale_log.records_${newest!.id} in access exclusive mode`);
  return async () => {
    await held.unsafe("commit");
    held.release();
  };
}

/** Resolves when the log's session waits for the lock. */
async function untilCommitWaits(): Promise<void> {
  const waiting = () => other.sql`select 1 from pg_stat_activity
    where application_name like 'telltale-log-%' and wait_event_type = 'Lock'`;
  await expect.poll(async () => (await waiting()).length).toBe(1);
}

it("logs that time passes though there is no room for readings, one time record at a time", async () => {
  submitter = new LogSubmitter({ log, nowUs: () => 1, logger: testLogger, maxUnsettledReadings: 0 });
  expect(submitter.hasRoom).toBe(false);
  const letGo = await holdCommits();
  for (let i = 0; i < 5; i++) submitter.tick(0);
  await untilCommitWaits();
  for (let i = 0; i < 5; i++) submitter.tick(0);
  await letGo();
  const consumer = new Collector();
  await log.consume(consumer);
  await consumer.until(() => consumer.of(0).length >= 1);
  // Until the one before is known to be durable there is no other.
  const again = setInterval(() => submitter.tick(0), 5);
  await consumer.until(() => consumer.of(0).length >= 2).finally(() => clearInterval(again));
  expect(fromBinary(LogRecordSchema, consumer.of(0)[0]!.bytes).fragments).toEqual([]);
});

it("commits the parts of a batch together, with what else comes in that turn of the event loop", async () => {
  const first = submit([0, 1], 1);
  await Promise.resolve().then(() => undefined);
  await Promise.all([first, submit(0, 2)]);
  const [newest] = await other.sql`select max(id)::text as id from telltale_log.segment`;
  const [found] = await other.sql.unsafe(
    `select count(*)::int as records, count(distinct xmin::text)::int as commits from telltale_log.records_${newest!.id}`,
  );
  expect(found).toEqual({ records: 2, commits: 1 });
});

it("puts all that comes while a commit is under way into the next, a record for each partition", async () => {
  const letGo = await holdCommits();
  const first = submit(0, 1);
  await untilCommitWaits();
  const later = [submit(1, 2), submit(0, 3)];
  await new Promise((resolve) => setImmediate(resolve));
  later.push(submit(1, 4), submit(0, 5));
  await letGo();
  await Promise.all([first, ...later]);
  const consumer = new Collector();
  await log.consume(consumer);
  await consumer.until(() => consumer.of(0).length >= 2 && consumer.of(1).length >= 1);
  const sequences = (partition: number) =>
    consumer
      .of(partition)
      .map(({ bytes }) => fromBinary(LogRecordSchema, bytes).fragments.map((f) => Number(f.sequence)));
  expect(sequences(0)).toEqual([[1], [3, 5]]);
  expect(sequences(1)).toEqual([[2, 4]]);
}, 30_000);

it("rejects what waits too long for its commit, and goes on with what comes after it", async () => {
  const letGo = await holdCommits();
  const failed = Promise.allSettled([submit(0, 1), submit(1, 2)]);
  await untilCommitWaits();
  const joined = Promise.allSettled([submit(1, 3)]);
  const reasons = [...(await failed), ...(await joined)];
  expect(reasons).toMatchObject(reasons.map(() => ({ status: "rejected", reason: { kind: "unavailable" } })));
  expect(submitter.waitingBytes).toBe(0);
  await letGo();
  await submit(1, 4);
  expect(log.stats().pendingBytes).toBe(0);
}, 30_000);

it("tells of a commit whose outcomes are not its own, so that other processes hear of those alone", async () => {
  const { durable, settled } = submission(0, 1);
  await durable;
  const fragment = { accepted: 1, duplicate: 0, conflicting: 0, late: 0, quarantined: 0 };
  const outcome = (offset: number) => ({
    offset,
    fragments: [{ ...fragment, conflicts: [], stored: [], quarantinedIndices: [] }],
  });
  expect(submitter.settled(0, [outcome(0), outcome(1)])).toEqual([outcome(1)]);
  expect(await settled).toEqual(outcome(0).fragments);
});
