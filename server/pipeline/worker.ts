/** A scoring thread: owns the partitions it is given, one after another in the order of their records. */

import { parentPort, workerData } from "node:worker_threads";
import { create, toBinary } from "@bufbuild/protobuf";
import { WatchReadingsResponseSchema } from "../../gen/es/telltale/v1/watch_pb.ts";
import { severityOf } from "../detect/index.ts";
import { StartupError } from "../errors.ts";
import { createLogger } from "../observe/logger.ts";
import { standBehind } from "../priority.ts";
import { createScorer, type Scorer } from "../scorer/scorer.ts";
import { createPostgresStore } from "../store/postgres.ts";
import { FencedError } from "../store/store.ts";
import type { CommitNotice, FromScorer, Interest, ScorerData, ToScorer } from "./messages.ts";
import { type Committed, PartitionOwner } from "./owner.ts";
import { toScored } from "./scored.ts";

/** A third of the weight of the thread that answers: less would leave readings unscored where that one is busy. */
const NICE = 5;

standBehind(NICE);
const data = workerData as ScorerData;
const port = parentPort!;
const logger = createLogger({ level: data.logLevel });
const store = createPostgresStore(data.address, logger);
const scorer = await loadScorer();
const owners = new Map<number, PartitionOwner>();
/** Work on a partition waits for the work before it. */
const chains = new Map<number, Promise<void>>();
let interest: Interest | undefined;

const say = (message: FromScorer) => port.postMessage(message);

function wanted(sensorId: string, sensorType: string): boolean {
  return (
    interest !== undefined &&
    (interest.everything || interest.sensors.includes(sensorId) || interest.types.includes(sensorType))
  );
}

function live(c: Committed): Uint8Array | undefined {
  if (interest === undefined) return undefined;
  const readings = [];
  for (let i = 0; i < c.rows.points.length; i++) {
    const s = c.rows.series[i]!;
    if (wanted(s.sensorId, s.sensorType)) readings.push(toScored(c.rows, i, c.modelVersion));
  }
  if (readings.length === 0) return undefined;
  return toBinary(WatchReadingsResponseSchema, create(WatchReadingsResponseSchema, { readings }));
}

function notice(c: Committed): CommitNotice {
  const bySeverity = [0, 0, 0, 0, 0];
  const { points } = c.rows;
  if (c.anomalies > 0) {
    for (let i = 0; i < points.length; i++) {
      if (points.anomaly[i] === 1) bySeverity[severityOf(points.score[i]!)]!++;
    }
  }
  let duplicates = 0;
  let conflicts = 0;
  for (const o of c.outcomes) {
    for (const f of o.fragments) {
      duplicates += f.counts[1];
      conflicts += f.counts[2];
    }
  }
  return {
    kind: "committed",
    partition: c.partition,
    nextOffset: c.nextOffset,
    replayOffset: c.replayOffset,
    outcomes: c.outcomes,
    events: c.events.map((e) => e.event),
    live: live(c),
    readings: c.readings,
    late: points.length - c.firstLate,
    sensors: owners.get(c.partition)?.sensors ?? 0,
    byType: c.byType,
    bySeverity,
    duplicates,
    conflicts,
    commitMs: c.commitMs,
    scoreMs: c.scoreMs,
    lagMs: Date.now() - c.oldestReceivedUs / 1000,
    modelVersion: c.modelVersion,
    traced: c.traced,
  };
}

/** A model that does not fit stops the start: the main thread says why. */
async function loadScorer(): Promise<Scorer> {
  try {
    return await createScorer(data);
  } catch (error) {
    if (!(error instanceof StartupError)) throw error;
    say({ kind: "refused", message: error.message });
    await store.close();
    return process.exit(1);
  }
}

async function handle(message: ToScorer): Promise<void> {
  if (message.kind === "open") {
    const owner = new PartitionOwner({
      partition: message.partition,
      store,
      createDetector: scorer.createDetector,
      logger,
      keepOutcomes: data.keepOutcomes,
      onCommitted: (committed) => say(notice(committed)),
    });
    owners.set(message.partition, owner);
    say({ kind: "opened", partition: message.partition, ...(await owner.open(message.oldest)) });
  } else if (message.kind === "records") {
    await owners.get(message.partition)!.take(message.entries);
    say({ kind: "taken", partition: message.partition });
  } else if (message.kind === "close") {
    await owners.get(message.partition)?.close();
    owners.delete(message.partition);
    say({ kind: "closed", partition: message.partition });
  }
}

async function stop(): Promise<void> {
  await Promise.allSettled(chains.values());
  await Promise.allSettled([...owners.values()].map((o) => o.close()));
  await store.close();
  say({ kind: "stopped" });
  port.close();
}

port.on("message", (message: ToScorer) => {
  if (message.kind === "interest") {
    interest = message.interest;
    return;
  }
  if (message.kind === "stop") {
    stop().catch((error: unknown) => logger.error({ err: error }, "scoring thread did not stop cleanly"));
    return;
  }
  const { partition } = message;
  // Another process is waiting for the partition, or this one for its end.
  if (message.kind === "close") owners.get(partition)?.abandon();
  const before = chains.get(partition) ?? Promise.resolve();
  const after = before
    .then(() => handle(message))
    .catch((error: unknown) => {
      const fenced = error instanceof FencedError;
      if (fenced) logger.info({ partition }, error.message);
      else logger.error({ err: error, partition }, "partition failed");
      owners.delete(partition);
      say({ kind: "failed", partition, message: error instanceof Error ? error.message : String(error), fenced });
    });
  chains.set(partition, after);
});

say({ kind: "ready", modelVersion: scorer.modelVersion });
