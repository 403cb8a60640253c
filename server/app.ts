/**
 * The wiring, in the order in which a reading travels: log → scoring threads → store → live feeds → services → doors. A process
 * has the parts that its roles need. Everything that is started is stopped in the opposite order.
 */
import { setTimeout as delay } from "node:timers/promises";
import { fromBinary } from "@bufbuild/protobuf";
import type { Sql } from "postgres";
import { type Gateway, startGateway } from "../gateway/gateway.ts";
import { AdminService } from "../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { RecordOutcomeSchema } from "../gen/es/telltale/v1/notice_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import type { ScoredReading } from "../gen/es/telltale/v1/reading_pb.ts";
import { ReportService } from "../gen/es/telltale/v1/report_pb.ts";
import { WatchReadingsResponseSchema, WatchService } from "../gen/es/telltale/v1/watch_pb.ts";
import { BacktestRunner } from "./backtest/runner.ts";
import { systemClock } from "./clock.ts";
import { type Config, isWhole } from "./config.ts";
import { StartupError } from "./errors.ts";
import { SeriesTable } from "./ingest/series.ts";
import { Feed } from "./live/feed.ts";
import { JsonStream } from "./live/json-stream.ts";
import { Notices } from "./live/notices.ts";
import type { SqlAddress } from "./log/connection.ts";
import type { Log } from "./log/log.ts";
import { committedSpans } from "./observe/batch-spans.ts";
import { countCommit } from "./observe/commits.ts";
import { createHealthChecks } from "./observe/health.ts";
import type { Logger } from "./observe/logger.ts";
import { countMaintenance } from "./observe/maintenance.ts";
import { createMetrics, type Metrics } from "./observe/metrics.ts";
import { SampledLines } from "./observe/sampled.ts";
import { createKafkaSink } from "./outbox/kafka.ts";
import { Outbox } from "./outbox/outbox.ts";
import { components, openCache, openDatabase, openLog, type PartsOptions, type Stops } from "./parts.ts";
import { Intake } from "./pipeline/intake.ts";
import type { CommitNotice } from "./pipeline/messages.ts";
import { fromNotice } from "./pipeline/notices.ts";
import { type PoolOptions, ScorerPool } from "./pipeline/pool.ts";
import { createAlertService } from "./rpc/alerts.ts";
import { AnswerCache } from "./rpc/answers.ts";
import { createDetectorService } from "./rpc/detector.ts";
import { createIngestService } from "./rpc/ingest.ts";
import { createQueryService } from "./rpc/query.ts";
import { createReportService } from "./rpc/report.ts";
import { type RpcServer, startRpcServer } from "./rpc/server.ts";
import { createWatchService } from "./rpc/watch.ts";
import { createForwarding, type Forwarding } from "./security/forwarded.ts";
import { createHostCheck, createOriginCheck } from "./security/hosts.ts";
import { createSecurity } from "./security/security.ts";
import { watchTlsFiles } from "./security/tls.ts";
import { startMaintenanceThread } from "./store/maintenance-thread.ts";
import { migrate } from "./store/migrate.ts";
import { openStoreSql } from "./store/postgres.ts";
import { Queries } from "./store/queries.ts";
import { Uptime } from "./store/uptime.ts";

/** Readings that this process has logged and that are not settled: past it, devices wait. */
const MAX_UNSETTLED_READINGS = 1_000_000;
/** Committed readings kept for watchers that lag or resume. */
const LIVE_LIMITS = { entries: 10_000, bytes: 64 * 1024 * 1024 };
/** Connections for queries: more than cores, so that a slow one does not hold up the others. */
const QUERY_CONNECTIONS = 8;
/** A query that takes longer than this is a mistake or an attack. */
const QUERY_TIMEOUT_MS = 30_000;
/** Gauges that must be looked for are looked for this often. */
const GAUGE_MS = 15_000;
const PAGE_WAITS_MS = 1_000;
const TICK_MS = 1000;
/** A start waits this long for what was logged before it. */
const CATCH_UP_MS = 60_000;
/** Outcomes of other processes that are this late are looked up in the store: their notice was lost. */
const OVERDUE_MS = 300;
const OVERDUE_AT_ONCE = 500;

export interface App {
  /** Undefined in a process that is only a gateway. */
  readonly grpcPort: number | undefined;
  /** Undefined in a process that is no gateway. */
  readonly httpPort: number | undefined;
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
  const stops: Stops = [];
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

async function wire(o: AppOptions, stops: Stops) {
  const { config, logger } = o;
  const metrics = createMetrics();
  const services = ["ingest", "score", "query"].some((role) => config.roles.has(role as "ingest"));
  const forwarding = createForwarding(config.security.gatewaySecret);
  const door = services ? await wireServices(o, metrics, stops, forwarding) : undefined;
  const grpcUrl = door === undefined ? config.grpcUrl : `http://${innerHost(config)}:${door.innerPort}`;
  const gateway = config.roles.has("gateway")
    ? await openGateway(config, grpcUrl, metrics, logger, forwarding)
    : undefined;
  if (gateway !== undefined) stops.push(() => gateway.close(config.shutdownGraceMs));
  return { grpcPort: door?.port, httpPort: gateway && Number(new URL(gateway.url).port) };
}

async function wireServices(o: AppOptions, metrics: Metrics, stops: Stops, forwarding: Forwarding): Promise<RpcServer> {
  const { config, logger, onFatal } = o;
  const parts: PartsOptions = { config, logger, onFatal, stops };
  const clock = systemClock;

  const address = await openDatabase(parts);
  const sql = openStoreSql(address, QUERY_CONNECTIONS, QUERY_TIMEOUT_MS, "telltale-query");
  stops.push(() => sql.end({ timeout: 5 }));
  await migrate(sql);
  const { security: settings, bindAddress, dataDir, redisUrl } = config;
  const security = await createSecurity({ settings, bindAddress, dataDir, redisUrl, forwarding, sql, clock, logger });
  stops.push(async () => security.close());
  if (security.adminTokenFile !== undefined) {
    logger.info({ file: security.adminTokenFile }, "the administrator's token is in this file");
  }
  const queries = new Queries(sql);
  const uptime = new Uptime(sql, clock, logger);
  await uptime.start();
  stops.push(() => uptime.stop());

  const log = await openLog(parts, address);
  const { cache, bus } = openCache(parts);
  const notices = new Notices(bus);
  stops.push(async () => notices.close());
  const answers = new AnswerCache({ cache, ttlMs: config.cacheTtlMs, metrics });

  const intake = new Intake({ log, nowUs: clock.nowUs, logger, maxUnsettledReadings: MAX_UNSETTLED_READINGS });
  const readings = new Feed<readonly ScoredReading[]>(LIVE_LIMITS, clock.nowUs());
  const alertsChanged = new Feed<null>({ entries: 1, bytes: 1 }, 0);

  // What a commit tells reaches this process's own waiters directly, and the others' over the bus.
  const alone = isWhole(config) && config.kafkaBootstrapServers === undefined;
  await notices.onLive(
    (bytes) => readings.push(fromBinary(WatchReadingsResponseSchema, bytes).readings, bytes.length),
    () => readings.gap(),
  );
  await notices.onAlerts(() => alertsChanged.push(null, 1));
  if (!alone) {
    await notices.onSettled((partition, outcomes) => intake.settled(partition, outcomes));
    lookUpOverdue(intake, queries, logger, stops);
  }

  let modelVersion = "";
  let consume: (() => Promise<void>) | undefined;
  if (config.roles.has("score")) {
    const outbox = await openOutbox(config, sql, logger, stops);
    const stream = config.redisUrl === undefined ? undefined : new JsonStream(bus);
    if (stream !== undefined) stops.push(async () => stream.close());
    const onCommitted = (notice: CommitNotice) => {
      if (o.tracing) committedSpans(notice.partition, notice.traced, notice.events, notice.modelVersion);
      intake.settled(notice.partition, notice.outcomes);
      if (!alone) notices.publishSettled(notice.partition, notice.outcomes);
      if (notice.live !== undefined) {
        notices.publishLive(notice.live);
        stream?.committed(notice.live);
      }
      if (notice.events.length > 0) notices.publishAlerts();
      outbox?.committed(notice.partition, notice.events.length);
      log.release(notice.partition, notice.replayOffset);
      countCommit(metrics, notice);
    };
    const pool = await startPool(o, address, log, !alone, {
      onCommitted,
      onOpened: (_partition, recovery) => metrics.recoveries.inc({ kind: recovery }),
      onReleased: (partition) => outbox?.released(partition),
    });
    stops.push(() => pool.stop());
    const { logLevel, retentionDays } = config;
    const maintenance = startMaintenanceThread({ sql: address, logLevel, retentionDays }, logger, (facts) =>
      countMaintenance(metrics, facts, Date.now()),
    );
    stops.push(() => maintenance.close());
    await notices.onInterest((interest) => pool.setInterest(interest));
    // A crash of the database takes back its last commits; the log has them. What was answered must be seen again before
    // anybody can ask.
    if (alone) {
      await pool.consume();
      await catchUp(intake, log.partitions, logger);
    } else consume = () => pool.consume();
    tickPartitions(pool, intake, stops);
    modelVersion = pool.modelVersion;
    logger.info({ modelVersion }, "scorer ready");
    metrics.modelInfo.set({ version: modelVersion, runtime: modelVersion.split("+")[1] ?? "" }, 1);
  }

  const health = createHealthChecks(
    components(config, { sql, log, cache, modelVersion, pingUsage: security.pingUsage }),
  );
  const shutdown = new AbortController();
  const query = config.roles.has("query");
  const runner = new BacktestRunner({ ...judging(config), address, logLevel: config.logLevel });
  stops.push(() => runner.close());
  const door = await startRpcServer({
    host: config.bindAddress,
    port: config.grpcPort,
    services: [
      IngestService,
      ...(query ? [QueryService, WatchService, AlertService, DetectorService, ReportService, AdminService] : []),
    ],
    // These judge reading by reading, so that the good neighbours of a bad one are kept.
    unvalidated: new Set(["telltale.v1.IngestService/SubmitReadings", "telltale.v1.IngestService/StreamReadings"]),
    logger,
    metrics,
    tracing: o.tracing,
    gate: security.gate,
    metricsGate: security.metricsGate,
    interceptors: security.interceptors,
    allowsHost: security.allowsHost,
    allowsOrigin: createOriginCheck(config.security, config.allowedHosts),
    tls: security.tls,
    routes: (router) => {
      router.service(
        IngestService,
        createIngestService({
          intake,
          table: new SeriesTable(log.partitions),
          clock,
          metrics,
          refused: new SampledLines(logger),
          maxAheadUs: config.maxClockAheadMs * 1000,
          retentionUs: config.retentionDays * 86_400_000_000,
          onStored: () => answers.expire(),
          shutdown: shutdown.signal,
        }),
      );
      if (!query) return;
      const interested = async (interest: Parameters<Notices["setInterest"]>[0]) => notices.setInterest(interest);
      router.service(QueryService, createQueryService({ queries, clock, health, answers }));
      router.service(
        WatchService,
        createWatchService({ queries, metrics, readings, alertsChanged, interested, shutdown: shutdown.signal }),
      );
      router.service(ReportService, createReportService({ sql, clock }));
      router.service(AlertService, createAlertService({ queries, intake, partitions: log.partitions }));
      router.service(
        DetectorService,
        createDetectorService({
          queries,
          intake,
          partitions: log.partitions,
          clock,
          runner,
          threshold: config.modelAccuracyThreshold,
          alarmsPerSensorDay: config.alarmsPerSensorDay,
        }),
      );
      security.routes(router);
    },
  });
  door.shutdownSignal.addEventListener("abort", () => shutdown.abort(door.shutdownSignal.reason), { once: true });
  stops.push(() => door.close(config.shutdownGraceMs));
  door.health.setServing(true);
  lookAtGauges(metrics, intake, queries, log, logger, stops);
  // Last: a member of the group that is still busy with its start loses its partitions again.
  await consume?.();
  return door;
}

async function startPool(
  { config, logger, onFatal }: AppOptions,
  address: SqlAddress,
  log: Log,
  keepOutcomes: boolean,
  told: Pick<PoolOptions, "onCommitted" | "onOpened" | "onReleased">,
): Promise<ScorerPool> {
  const pool = new ScorerPool({
    threads: Math.min(config.scorerThreads, config.partitions),
    data: {
      address,
      logLevel: config.logLevel,
      threshold: config.modelAccuracyThreshold,
      runtime: config.scorerRuntime,
      modelPath: config.modelPath,
      alarmsPerSensorDay: config.alarmsPerSensorDay,
      keepOutcomes,
    },
    log,
    logger,
    ...told,
    onFatal,
  });
  await pool.start();
  return pool;
}

/** How readings are judged, in whichever thread. */
function judging({ modelAccuracyThreshold, alarmsPerSensorDay, scorerRuntime, modelPath }: Config) {
  return { threshold: modelAccuracyThreshold, alarmsPerSensorDay, runtime: scorerRuntime, modelPath };
}

async function openOutbox(config: Config, sql: Sql, logger: Logger, stops: Stops): Promise<Outbox | undefined> {
  if (config.kafkaBootstrapServers === undefined) return undefined;
  const sink = await createKafkaSink({
    brokers: config.kafkaBootstrapServers,
    anomalyTopic: config.kafkaAnomalyTopic,
    eventsTopic: config.kafkaEventsTopic,
    replication: config.kafkaReplication,
    logger,
  });
  const outbox = new Outbox(sql, sink, logger);
  stops.push(() => outbox.close());
  return outbox;
}

async function openGateway(
  config: Config,
  grpcUrl: string,
  metrics: Metrics,
  logger: Logger,
  forwarding: Forwarding,
): Promise<Gateway> {
  try {
    return await startGateway({
      host: config.bindAddress,
      port: config.httpPort,
      grpcUrl,
      allowedOrigins: config.allowedHosts,
      allowsHost: createHostCheck(config.security, config.bindAddress),
      auth: config.security.auth,
      signClient: forwarding.sign,
      tls: config.security.tls && watchTlsFiles(config.security.tls, logger),
      logger,
      metricsText: metrics.text,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    throw new StartupError(
      `PORT ${config.httpPort} on ${config.bindAddress} is in use: end what uses it, or set PORT to another.`,
    );
  }
}

/** Where a process finds its own door; behind TLS there is an inner one on the loopback. */
function innerHost({ bindAddress, security }: Config): string {
  if (security.tls !== undefined) return "127.0.0.1";
  if (bindAddress === "0.0.0.0") return "127.0.0.1";
  if (bindAddress === "::") return "[::1]";
  return bindAddress.includes(":") ? `[${bindAddress}]` : bindAddress;
}

/** Waits until everything logged before is committed; not for ever, since a late answer is better than none. */
async function catchUp(intake: Intake, partitions: number, logger: Logger): Promise<void> {
  const all = Promise.all(Array.from({ length: partitions }, (_, partition) => intake.caughtUp(partition)));
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    logger.warn({ afterMs: CATCH_UP_MS }, "still reading the log again: the newest readings show later");
    late.resolve();
  }, CATCH_UP_MS);
  await Promise.race([all, late.promise]).finally(() => clearTimeout(timer));
}

/** Time passes in the log of each partition that this process owns: silence and timers go by it alone. */
function tickPartitions(pool: ScorerPool, intake: Intake, stops: Stops): void {
  const timer = setInterval(() => {
    for (const partition of pool.owned) if (intake.hasRoom) intake.tick(partition);
  }, TICK_MS);
  stops.push(async () => clearInterval(timer));
}

/** Notices may be lost with the bus; the store has the outcomes. */
function lookUpOverdue(intake: Intake, queries: Queries, logger: Logger, stops: Stops): void {
  let looking = false;
  const look = async () => {
    if (looking) return;
    looking = true;
    try {
      for (const [partition, offsets] of intake.overdue(OVERDUE_MS, OVERDUE_AT_ONCE)) {
        const found = await queries.outcomes(partition, offsets);
        intake.settled(
          partition,
          found.map((bytes) => fromNotice(fromBinary(RecordOutcomeSchema, bytes))),
        );
      }
    } catch (error) {
      logger.warn({ err: error }, "overdue outcomes could not be looked up");
    } finally {
      looking = false;
    }
  };
  const timer = setInterval(() => void look(), OVERDUE_MS);
  stops.push(async () => clearInterval(timer));
}

/** Gauges of what is only known by looking. */
function lookAtGauges(
  metrics: Metrics,
  intake: Intake,
  queries: Queries,
  log: Log,
  logger: Logger,
  stops: Stops,
): void {
  const look = async () => {
    metrics.queueDepth.set({ queue: "log_bytes" }, intake.waitingBytes);
    metrics.queueDepth.set({ queue: "unsettled_readings" }, intake.unsettledReadings);
    metrics.lag.reset(); // a partition that has gone to another process is that one's to tell of
    for (const [partition, records] of log.stats().lag) metrics.lag.set({ partition: String(partition) }, records);
    metrics.activeSensors.set(await queries.activeSensors(systemClock.nowUs() - 86_400_000_000));
  };
  const run = () => look().catch((error: unknown) => logger.warn({ err: error }, "gauges could not be read"));
  // The page of metrics shows them as they are when it is asked for; a database that does not answer must not hold the page up.
  Object.assign(metrics.activeSensors, {
    collect: () => Promise.race([run(), delay(PAGE_WAITS_MS, null, { ref: false })]),
  });
  const timer = setInterval(run, GAUGE_MS);
  void run();
  stops.push(async () => clearInterval(timer));
}
