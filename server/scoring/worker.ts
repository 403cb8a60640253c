/** A scoring thread: owns the partitions it is given, one after another in the order of their records. */

import { parentPort, workerData } from "node:worker_threads";
import { severityOf } from "../detect/index.ts";
import { createScorer, type Scorer } from "../detect/model/scorer.ts";
import { StartupError } from "../errors.ts";
import { lowerThreadPriority } from "../lib/thread-priority.ts";
import { createLogger } from "../observe/logger.ts";
import { createPostgresStore } from "../store/postgres.ts";
import { CONTROL_PLACE, FencedError } from "../store/store.ts";
import type { Committed } from "./commit-of.ts";
import type { CommitNotice, FromScorer, ScorerData, ToScorer } from "./messages.ts";
import { PartitionOwner } from "./owner.ts";
import { Quarantine } from "./quarantine.ts";
import { SetAsideError } from "./set-aside.ts";
import { Shown } from "./shown.ts";
import { WatchedReadings } from "./watched.ts";

/** A third of the weight of the thread that answers: less would leave readings unscored where that one is busy. */
const NICE = 5;

lowerThreadPriority(NICE);
const data = workerData as ScorerData;
const port = parentPort!;
const logger = createLogger({ level: data.logLevel });
const store = createPostgresStore(data.address, logger, (error) => {
  const { code = "", message } = error as Error & { code?: string };
  port.postMessage({ kind: "unavailable", code, message } satisfies FromScorer);
});
const scorer = await loadScorer();
const owners = new Map<number, PartitionOwner>();
/** What is found to be set aside and not stored yet outlives the owner that found it. */
const quarantines = new Map<number, Quarantine>();
/** Work on a partition waits for the work before it. */
const chains = new Map<number, Promise<void>>();
const shown = new Shown();
const watched = new WatchedReadings(data.watchedPerSecond, () => performance.now(), shown);

const say = (message: FromScorer) => port.postMessage(message);

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
      duplicates += f.duplicate;
      conflicts += f.conflicting;
    }
  }
  return {
    kind: "committed",
    partition: c.partition,
    nextOffset: c.nextOffset,
    replayOffset: c.replayOffset,
    outcomes: c.outcomes,
    events: c.events.map((e) => e.event),
    live: watched.of(c),
    readings: c.readings,
    late: points.length - c.firstLate,
    sensors: owners.get(c.partition)?.sensors ?? 0,
    byType: c.byType,
    bySeverity,
    duplicates,
    conflicts,
    quarantined: {
      readings: c.quarantined.reduce((n, { readings }) => n + readings, 0),
      controls: c.quarantined.filter(({ fragment }) => fragment === CONTROL_PLACE).length,
    },
    unitChanges: c.unitChanges,
    commitMs: c.commitMs,
    scoreMs: c.scoreMs,
    lagMs: Date.now() - c.oldestReceivedUs / 1000,
    clockBehindMs: c.clockBehindUs / 1000,
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
    const quarantine = quarantines.get(message.partition) ?? new Quarantine();
    quarantines.set(message.partition, quarantine);
    const owner = new PartitionOwner({
      partition: message.partition,
      quarantine,
      shown,
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
    quarantines.delete(message.partition);
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
    watched.setInterest(message.interest);
    return;
  }
  if (message.kind === "names") {
    shown.set(message.names);
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
      const setAside = error instanceof SetAsideError;
      const fenced = error instanceof FencedError;
      const atOnce = setAside || fenced;
      if (setAside) logger.warn({ partition }, error.message);
      else if (atOnce) logger.info({ partition }, (error as Error).message);
      else logger.error({ err: error, partition }, "partition failed");
      owners.delete(partition);
      const said = error instanceof Error ? error.message : String(error);
      say({ kind: "failed", partition, message: said, atOnce, fenced });
    });
  chains.set(partition, after);
});

say({ kind: "ready", modelVersion: scorer.modelVersion });
