import type { Config } from "../config.ts";
import type { LogSubmitter } from "../ingest/log-submitter.ts";
import { JsonStream } from "../live/json-stream.ts";
import { committedSpans } from "../observe/batch-spans.ts";
import type { Progress } from "../observe/progress.ts";
import { countDelivery } from "../outbox/delivery-metrics.ts";
import { createKafkaReceiver } from "../outbox/kafka.ts";
import { Outbox } from "../outbox/outbox.ts";
import type { Receiver } from "../outbox/receiver.ts";
import { countCommit } from "../scoring/commit-metrics.ts";
import { CommitPublisher, type CommitSubscriber } from "../scoring/commit-publisher.ts";
import { LogClock } from "../scoring/log-clock.ts";
import { ScorerPool } from "../scoring/pool.ts";
import { countMaintenance } from "../store/maintenance-metrics.ts";
import { startMaintenanceThread } from "../store/maintenance-thread.ts";
import type { Live } from "./live.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

const TICK_MS = 1000;
/** A start waits this long for what was logged before it. */
const CATCH_UP_MS = 60_000;

export interface Scoring {
  /** "" in a process that scores nothing. */
  readonly modelVersion: string;
  /**
   * Begins to take partitions. The last step of a start that shares the log: a member of the group that is still busy with its start
   * loses its partitions again.
   */
  consume(): Promise<void>;
}

export const NO_SCORING: Scoring = { modelVersion: "", consume: async () => {} };

/** Scoring threads for this process's partitions, the subscribers of their commits, and the store's maintenance. */
export async function wireScoring(w: Wiring, storage: Storage, live: Live, progress: Progress): Promise<Scoring> {
  const { config, metrics, logger, cleanups, ending, onFatal } = w;
  const { address, log } = storage;
  const outbox = openOutbox(w, storage);
  const publisher = new CommitPublisher(subscribers(w, storage, live, { outbox, progress }), logger);
  const threads = Math.min(config.scorerThreads, config.partitions);
  const watchedPerSecond = config.watchReadingsPerSecond / threads;
  const pool = new ScorerPool({
    threads,
    data: { ...judging(config), address, logLevel: config.logLevel, keepOutcomes: !live.alone, watchedPerSecond },
    log,
    logger,
    onCommitted: (notice) => publisher.publish(notice),
    onOpened: (_partition, recovery) => metrics.recoveries.inc({ kind: recovery }),
    onFailed: (partition, why) => progress.failed(partition, why),
    onFenced: () => metrics.lostCommits.inc(),
    onUnavailable: (error) => storage.room.refused(error),
    onReleased: (partition) => {
      progress.released(partition);
      metrics.clockBehind.remove({ partition: String(partition) });
      outbox.released(partition);
    },
    onFatal,
  });
  await pool.start();
  // Before they take a partition.
  storage.names.onChange(({ shown }) => pool.setNames(shown));
  cleanups.add("scoring threads", () => pool.stop());
  ending?.throwIfAborted();
  openMaintenance(w, storage);
  await live.notices.onInterest((interest) => pool.setInterest(interest));
  // A crash of the database takes back its last commits; the log has them. What was answered must be seen again before anybody can
  // ask.
  if (live.alone) {
    await pool.consume();
    await catchUp(w, live.submitter, log.partitions);
  }
  tickPartitions(w, pool, live.submitter);
  const { modelVersion } = pool;
  logger.info({ modelVersion }, "scorer ready");
  metrics.modelInfo.set({ version: modelVersion, runtime: modelVersion.split("+")[1] ?? "" }, 1);
  return { modelVersion, consume: async () => (live.alone ? undefined : pool.consume()) };
}

/** The subscribers of a commit, in this order: first those that a device or a person waits for. */
function subscribers(
  { config, tracing, metrics, logger, cleanups }: Wiring,
  { log, bus }: Storage,
  { submitter, notices, alone }: Live,
  { outbox, progress }: { outbox: Outbox; progress: Progress },
): CommitSubscriber[] {
  const stream = config.redisUrl === undefined ? undefined : new JsonStream(bus);
  if (stream !== undefined) cleanups.add("stream of readings as JSON", () => stream.close());
  const logClock = new LogClock(logger);
  const subscriber = (name: string, committed: CommitSubscriber["committed"]) => ({ name, committed });
  return [
    ...(tracing ? [subscriber("spans", (n) => committedSpans(n.partition, n.traced, n.events, n.modelVersion))] : []),
    subscriber("waiters", (n) => {
      const elsewhere = submitter.settled(n.partition, n.outcomes);
      if (!alone && elsewhere.length > 0) notices.publishSettled(n.partition, elsewhere);
    }),
    subscriber("live readings", (n) => n.live && notices.publishLive(n.live)),
    ...(stream === undefined ? [] : [subscriber("JSON stream", (n) => n.live && stream.committed(n.live))]),
    subscriber("alert watches", (n) => n.events.length > 0 && notices.publishAlerts()),
    subscriber("outbox", (n) => outbox.committed(n.partition, n.events.length)),
    subscriber("log", (n) => log.release(n.partition, n.replayOffset)),
    subscriber("progress", (n) => progress.advanced(n.partition)),
    subscriber("metrics", (n) => countCommit(metrics, n)),
    subscriber("log clock", (n) => logClock.committed(n)),
  ];
}

/** How readings are judged, in whichever thread. */
export function judging({ modelAccuracyThreshold, alarmsPerSensorDay, scorerRuntime, modelPath }: Config) {
  return { threshold: modelAccuracyThreshold, alarmsPerSensorDay, runtime: scorerRuntime, modelPath };
}

function openOutbox({ config, metrics, logger, cleanups }: Wiring, { sql }: Storage): Outbox {
  const receivers = openReceivers(config, logger);
  const outbox = new Outbox({ sql, receivers, logger, onPortion: (counts) => countDelivery(metrics, counts) });
  cleanups.add("outbox", () => outbox.close());
  return outbox;
}

/** The receivers of alert events in this installation. */
function openReceivers(config: Config, logger: Wiring["logger"]): Receiver[] {
  if (config.kafkaBootstrapServers === undefined) return [];
  const kafka = createKafkaReceiver({
    brokers: config.kafkaBootstrapServers,
    anomalyTopic: config.kafkaAnomalyTopic,
    eventsTopic: config.kafkaEventsTopic,
    replication: config.kafkaReplication,
    logger,
  });
  return [kafka];
}

/** Compaction, roll-ups and retention, in a thread of their own. */
function openMaintenance({ config, metrics, logger, cleanups }: Wiring, { address }: Storage): void {
  const { logLevel, retentionDays } = config;
  const maintenance = startMaintenanceThread({ sql: address, logLevel, retentionDays }, logger, (facts) =>
    countMaintenance(metrics, facts, Date.now()),
  );
  cleanups.add("maintenance", () => maintenance.close());
}

/** Waits until everything logged before is committed, within a bound, since a late answer is better than none. */
async function catchUp({ logger }: Wiring, submitter: LogSubmitter, partitions: number): Promise<void> {
  const all = Promise.all(Array.from({ length: partitions }, (_, partition) => submitter.caughtUp(partition)));
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    logger.warn({ afterMs: CATCH_UP_MS }, "still reading the log again: the newest readings show later");
    late.resolve();
  }, CATCH_UP_MS);
  await Promise.race([all, late.promise]).finally(() => clearTimeout(timer));
}

/** Time passes in the log of each partition that this process owns: silence and timers go by it alone. */
function tickPartitions({ cleanups }: Wiring, pool: ScorerPool, submitter: LogSubmitter): void {
  const timer = setInterval(() => {
    for (const partition of pool.owned) submitter.tick(partition);
  }, TICK_MS);
  cleanups.add("time records", () => clearInterval(timer));
}
