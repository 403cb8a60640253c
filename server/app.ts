/**
 * The wiring, in the order in which a reading travels: log → scoring threads → store → live feed → services → doors. Everything
 * that is started is stopped in the opposite order.
 */
import { mkdir } from "node:fs/promises";
import { fromBinary } from "@bufbuild/protobuf";
import { type Gateway, startGateway } from "../gateway/gateway.ts";
import { AdminService } from "../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import type { ScoredReading } from "../gen/es/telltale/v1/reading_pb.ts";
import {
  AlertEventSchema,
  AlertEventType,
  WatchReadingsResponseSchema,
  WatchService,
} from "../gen/es/telltale/v1/watch_pb.ts";
import { createEmbeddedCache } from "./cache/embedded.ts";
import { systemClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { SEVERITY_NAMES } from "./detect/index.ts";
import { StartupError } from "./errors.ts";
import { SeriesTable } from "./ingest/series.ts";
import { Feed } from "./live/feed.ts";
import type { SqlAddress } from "./log/connection.ts";
import { createEmbeddedLog } from "./log/embedded.ts";
import type { Log } from "./log/log.ts";
import { createHealthChecks } from "./observe/health.ts";
import type { Logger } from "./observe/logger.ts";
import { createMetrics, type Metrics } from "./observe/metrics.ts";
import { Intake } from "./pipeline/intake.ts";
import type { CommitNotice } from "./pipeline/messages.ts";
import { ScorerPool } from "./pipeline/pool.ts";
import { createAlertService } from "./rpc/alerts.ts";
import { AnswerCache } from "./rpc/answers.ts";
import { createDetectorService } from "./rpc/detector.ts";
import { createIngestService } from "./rpc/ingest.ts";
import { createQueryService } from "./rpc/query.ts";
import { startRpcServer } from "./rpc/server.ts";
import { createWatchService } from "./rpc/watch.ts";
import { startEmbeddedPostgres } from "./store/embedded-postgres.ts";
import { migrate } from "./store/migrate.ts";
import { openStoreSql } from "./store/postgres.ts";
import { Queries } from "./store/queries.ts";
import { Uptime } from "./store/uptime.ts";

/** Readings in hand in this process, logged and not yet settled: with the embedded log, what a crash has to score again. */
const MAX_UNSETTLED_READINGS = 1_000_000;
/** Committed readings kept for watchers that lag or resume. */
const LIVE_LIMITS = { entries: 10_000, bytes: 64 * 1024 * 1024 };
const PING_TIMEOUT_MS = 2000;
/** Connections for queries: more than cores, so that a slow one does not hold up the others. */
const QUERY_CONNECTIONS = 8;
/** A query that takes longer than this is a mistake or an attack. */
const QUERY_TIMEOUT_MS = 30_000;
const WORD_OF_ACTIVE_MS = 15_000;

export interface App {
  readonly grpcPort: number;
  readonly httpPort: number | undefined;
  readonly metrics: Metrics;
  /** Drains and ends everything; resolves when the process may exit. */
  stop(): Promise<void>;
}

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Whether spans are exported. */
  readonly tracing: boolean;
  /** Something is lost that cannot be brought back: the process should end. */
  readonly onFatal: (error: Error) => void;
}

/** Starts the platform. Throws StartupError with a sentence for people; what was started by then is stopped again. */
export async function startApp(options: AppOptions): Promise<App> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async () => {
    for (const one of stops.splice(0).reverse()) {
      await one().catch((error: unknown) => options.logger.error({ err: error }, "a part did not stop cleanly"));
    }
  };
  try {
    return { ...(await wire(options, stops)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function wire({ config, logger, tracing, onFatal }: AppOptions, stops: (() => Promise<void>)[]) {
  const metrics = createMetrics();
  const clock = systemClock;

  const address = await openDatabase(config, logger, onFatal, stops);
  const sql = openStoreSql(address, QUERY_CONNECTIONS, QUERY_TIMEOUT_MS);
  stops.push(() => sql.end({ timeout: 5 }));
  await migrate(sql);
  const queries = new Queries(sql);
  const uptime = new Uptime(sql, clock, logger);
  await uptime.start();
  stops.push(() => uptime.stop());

  const log: Log = await createEmbeddedLog({ sql: address, partitions: config.partitions, logger });
  stops.push(() => log.close());

  const cache = createEmbeddedCache();
  stops.push(() => cache.close());
  const answers = new AnswerCache({ cache, ttlMs: config.cacheTtlMs, metrics });

  const readings = new Feed<readonly ScoredReading[]>(LIVE_LIMITS, clock.nowUs());
  const alertsChanged = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  const intake = new Intake({ log, nowUs: clock.nowUs, logger, maxUnsettledReadings: MAX_UNSETTLED_READINGS });
  const onCommitted = (notice: CommitNotice) => {
    intake.settled(notice.partition, notice.outcomes);
    if (notice.live !== undefined) {
      readings.push(fromBinary(WatchReadingsResponseSchema, notice.live).readings, notice.live.length);
    }
    if (notice.events.length > 0) alertsChanged.push(null, 1);
    log.release(notice.partition, notice.replayOffset);
    count(metrics, notice);
  };

  const pool = new ScorerPool({
    threads: Math.min(config.scorerThreads, config.partitions),
    data: {
      address,
      logLevel: config.logLevel,
      threshold: config.modelAccuracyThreshold,
      runtime: config.scorerRuntime,
      modelPath: config.modelPath,
      alarmsPerSensorDay: config.alarmsPerSensorDay,
    },
    log,
    logger,
    onCommitted,
    onFatal,
  });
  await pool.start();
  stops.push(() => pool.stop());
  logger.info({ modelVersion: pool.modelVersion }, "scorer ready");
  metrics.modelInfo.set({ version: pool.modelVersion, runtime: pool.modelVersion.split("+")[1] ?? "" }, 1);

  const health = createHealthChecks([
    { name: "database", detail: config.databaseUrl === undefined ? "embedded" : "", ping: () => ping(sql) },
    { name: "kafka", detail: "embedded", ping: () => log.ping(PING_TIMEOUT_MS) },
    { name: "redis", detail: "embedded", ping: () => cache.ping(PING_TIMEOUT_MS) },
    { name: "model", detail: pool.modelVersion, ping: async () => {} },
  ]);

  const shutdown = new AbortController();
  const door = await startRpcServer({
    host: config.bindAddress,
    port: config.grpcPort,
    services: [IngestService, QueryService, WatchService, AlertService, DetectorService, AdminService],
    // These judge reading by reading, so that the good neighbours of a bad one are kept.
    unvalidated: new Set(["telltale.v1.IngestService/SubmitReadings", "telltale.v1.IngestService/StreamReadings"]),
    logger,
    metrics,
    tracing,
    routes: (router) => {
      router.service(
        IngestService,
        createIngestService({
          intake,
          table: new SeriesTable(log.partitions),
          clock,
          metrics,
          maxAheadUs: config.maxClockAheadMs * 1000,
          retentionUs: config.retentionDays * 86_400_000_000,
          onStored: () => answers.expire(),
          shutdown: shutdown.signal,
        }),
      );
      router.service(QueryService, createQueryService({ queries, clock, health, answers }));
      router.service(
        WatchService,
        createWatchService({
          queries,
          metrics,
          readings,
          alertsChanged,
          interested: async (interest) => pool.setInterest(interest),
          shutdown: shutdown.signal,
        }),
      );
      router.service(AlertService, createAlertService({ queries, intake, partitions: log.partitions }));
      router.service(DetectorService, createDetectorService({ queries, threshold: config.modelAccuracyThreshold }));
      router.service(AdminService, {});
    },
  });
  door.shutdownSignal.addEventListener("abort", () => shutdown.abort(door.shutdownSignal.reason), { once: true });
  stops.push(() => door.close(config.shutdownGraceMs));
  door.health.setServing(true);
  watchGauges(metrics, intake, queries, clock.nowUs, logger, stops);
  const gateway = await openGateway(config, `http://127.0.0.1:${door.port}`, metrics, logger);
  stops.push(() => gateway.close(config.shutdownGraceMs));
  return { grpcPort: door.port, httpPort: Number(new URL(gateway.url).port), metrics };
}

async function openGateway(config: Config, grpcUrl: string, metrics: Metrics, logger: Logger): Promise<Gateway> {
  try {
    return await startGateway({
      host: config.bindAddress,
      port: config.httpPort,
      grpcUrl,
      allowedOrigins: config.allowedHosts,
      logger,
      metricsText: metrics.text,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") {
      throw new StartupError(
        `PORT ${config.httpPort} on ${config.bindAddress} is in use: end what uses it, or set PORT to another.`,
      );
    }
    throw error;
  }
}

async function openDatabase(
  config: Config,
  logger: Logger,
  onFatal: (error: Error) => void,
  stops: (() => Promise<void>)[],
): Promise<SqlAddress> {
  if (config.databaseUrl !== undefined) return config.databaseUrl;
  await mkdir(config.dataDir, { recursive: true });
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, logger, onLost: onFatal });
  stops.push(() => postgres.stop());
  return { ...postgres.address };
}

async function ping(sql: ReturnType<typeof openStoreSql>): Promise<void> {
  const query = sql`select 1`;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PING_TIMEOUT_MS} ms`)), PING_TIMEOUT_MS);
  });
  try {
    await Promise.race([query, late]);
  } finally {
    clearTimeout(timer);
  }
}

function count(metrics: Metrics, n: CommitNotice): void {
  for (const [type, readings] of n.byType) metrics.countStored(type, readings);
  n.bySeverity.forEach((anomalies, severity) => {
    if (anomalies > 0) metrics.anomaliesDetected.inc({ severity: SEVERITY_NAMES[severity] ?? "" }, anomalies);
  });
  metrics.dataProcessingSeconds.observe(Math.max(0, n.lagMs) / 1000);
  metrics.batchReadings.observe({ stage: "commit" }, n.readings);
  metrics.scoreSeconds.observe(n.scoreMs / 1000);
  metrics.commitSeconds.observe(n.commitMs / 1000);
  for (const [outcome, readings] of [
    ["accepted", n.readings],
    ["late", n.late],
    ["duplicate", n.duplicates],
    ["conflicting", n.conflicts],
  ] as const) {
    if (readings > 0) metrics.outcomes.inc({ outcome }, readings);
  }
  for (const bytes of n.events) {
    const { type } = fromBinary(AlertEventSchema, bytes);
    const name = Object.entries(AlertEventType).find(([, number]) => number === type)?.[0] ?? "";
    metrics.alertTransitions.inc({ type: name.toLowerCase() });
  }
}

/** Gauges of what is only known by looking. */
function watchGauges(
  metrics: Metrics,
  intake: Intake,
  queries: Queries,
  nowUs: () => number,
  logger: Logger,
  stops: (() => Promise<void>)[],
): void {
  const look = async () => {
    metrics.queueDepth.set({ queue: "log_bytes" }, intake.waitingBytes);
    metrics.queueDepth.set({ queue: "unsettled_readings" }, intake.unsettledReadings);
    const counts = await queries.platformCounts(nowUs() - 86_400_000_000);
    metrics.activeSensors.set(counts.activeSensors);
  };
  const run = () =>
    look().catch((error: unknown) => logger.warn({ err: error }, "active sensors could not be counted"));
  const timer = setInterval(run, WORD_OF_ACTIVE_MS);
  void run();
  stops.push(async () => clearInterval(timer));
}
