import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, ServiceImpl } from "@connectrpc/connect";
import { MetricsService } from "../../gen/es/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IncidentService } from "../../gen/es/telltale/v1/incident_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { ReportService } from "../../gen/es/telltale/v1/report_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { createGate } from "../api/access.ts";
import { createAdminService } from "../api/admin.ts";
import { alertActions, createAlertService } from "../api/alerts.ts";
import { AnswerCache } from "../api/answers.ts";
import { createCharts } from "../api/charts.ts";
import { createDetectorService } from "../api/detector.ts";
import { createIncidentService } from "../api/incidents.ts";
import { createIngestService } from "../api/ingest.ts";
import { securityInterceptors } from "../api/interceptors/index.ts";
import { namesInterceptor } from "../api/interceptors/names.ts";
import { createNotificationService } from "../api/notifications.ts";
import { registerOtlp } from "../api/otlp.ts";
import { prometheusApi } from "../api/prometheus/api.ts";
import { createQuarantineMethods } from "../api/quarantine.ts";
import { createQueryService, readingAt } from "../api/query.ts";
import { createRegistryService } from "../api/registry.ts";
import { createReportService } from "../api/report.ts";
import { type RpcServer, startRpcServer } from "../api/server.ts";
import { SettingsBook } from "../api/settings-book.ts";
import { SettingsSync } from "../api/settings-sync.ts";
import { createWatchService } from "../api/watch.ts";
import { WatchShares } from "../api/watch-shares.ts";
import { BacktestRunner } from "../backtest/runner.ts";
import { IncidentViews } from "../incidents/views.ts";
import type { Ingestor } from "../ingest/ingestor.ts";
import { protocolMemory } from "../ingest/protocols/limits.ts";
import { OtlpMapper } from "../ingest/protocols/otlp/map.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { within } from "../lib/signals.ts";
import { AddressGuard } from "../notify/channels/addresses.ts";
import { createHealthChecks } from "../observe/health.ts";
import type { Progress } from "../observe/progress.ts";
import { SampledLines } from "../observe/sampled.ts";
import { Registry } from "../registry/registry.ts";
import type { Interest } from "../scoring/messages.ts";
import type { Forwarding } from "../security/forwarded.ts";
import { createOriginCheck } from "../security/hosts.ts";
import type { Security } from "../security/security.ts";
import type { Broker } from "./broker.ts";
import { components } from "./dependencies.ts";
import type { Live } from "./live.ts";
import { lookAtGauges, watchReadiness } from "./look.ts";
import { judging, type Scoring } from "./scoring.ts";
import type { Storage } from "./storage.ts";
import type { Wiring } from "./wiring.ts";

/** So long a change of profiles waits until the log has new places of sensors for which settings of assets count. */
const PLACED_MS = 5_000;

/** The metrics page tells of the whole platform. */
const METRICS = {
  action: "telltale.v1.QueryService/GetPlatformStats",
  peer: { address: "", certificateName: undefined },
} as const;

export interface ApiParts {
  readonly storage: Storage;
  readonly live: Live;
  readonly scoring: Scoring;
  readonly progress: Progress;
  readonly security: Security;
  /** Whose call a gateway hands on. */
  readonly forwarding: Forwarding;
  readonly ingestor: Ingestor;
  /** Where readings come from a broker. */
  readonly broker: Broker | undefined;
}

/** The gRPC services of this process's roles on their listener, with health, readiness and the gauges. */
export async function wireApi(w: Wiring, parts: ApiParts): Promise<RpcServer> {
  const { config, metrics, logger, tracing, cleanups, protocols } = w;
  const { ingestor, security, forwarding } = parts;
  const closing = new AbortController();
  const answers = new AnswerCache({ cache: parts.storage.cache, ttlMs: config.cacheTtlMs, metrics });
  const access = { authorize: security.authorize, forwarding };
  const memory = protocolMemory();
  const registry = new Registry({ sql: parts.storage.sql, clock: w.clock, logger });
  cleanups.add("registry of sensors", () => registry.close());
  const services = servicesOf(w, parts, { ingestor, answers, memory, registry, closing: closing.signal });
  const api = await startRpcServer({
    host: config.bindAddress,
    port: config.grpcPort,
    services: services.map(({ service }) => service),
    routes: (router) => {
      for (const { register } of services) register(router);
    },
    // These judge reading by reading, so that the good neighbours of a bad one are kept.
    unvalidated: new Set(["telltale.v1.IngestService/SubmitReadings", "telltale.v1.IngestService/StreamReadings"]),
    logger,
    metrics,
    tracing,
    gate: createGate(access),
    metricsGate: async (credential) => void (await security.authorize({ ...METRICS, credential })),
    interceptors: [...securityInterceptors(security), namesInterceptor(parts.storage.names)],
    protocols: { protocols, ingestor, access, quota: security.quota, memory, onStored: () => answers.expire() },
    reads: config.roles.has("query")
      ? {
          apis: [prometheusApi({ registry, queries: parts.storage.queries, clock: w.clock })],
          ...{ access, quota: security.quota },
        }
      : undefined,
    allowsHost: security.allowsHost,
    allowsOrigin: createOriginCheck(config.security, config.allowedHosts),
    tls: security.tls,
  });
  api.shutdownSignal.addEventListener("abort", () => closing.abort(api.shutdownSignal.reason), { once: true });
  cleanups.add("gRPC listener", () => api.close(config.shutdownGraceMs));
  api.health.setServing(true);
  watchReadiness(w, parts, api.health);
  lookAtGauges(w, parts);
  return api;
}

/** A service with its implementation. */
interface Served {
  readonly service: DescService;
  readonly register: (router: ConnectRouter) => void;
}

function served<S extends DescService>(service: S, implementation: Partial<ServiceImpl<S>>): Served {
  return { service, register: (router) => router.service(service, implementation) };
}

/** What the services have in common with the ingest protocols of the listener, and its end. */
interface Shared {
  readonly ingestor: Ingestor;
  readonly answers: AnswerCache;
  readonly memory: MemoryBudget;
  readonly registry: Registry;
  /** Aborts when the server begins to close. */
  readonly closing: AbortSignal;
}

/** What watchers want to see, under all ids of its sensors: a watch goes on where a sensor is renamed meanwhile. */
function followNames(names: Storage["names"], notices: Live["notices"]) {
  let wanted: Interest | undefined;
  const tell = () =>
    notices.setInterest(
      wanted && { ...wanted, sensors: wanted.sensors.flatMap((sensorId) => names.current.namesOf(sensorId)) },
    );
  names.onChange(() => wanted !== undefined && tell());
  return async (interest: Interest | undefined) => {
    wanted = interest;
    tell();
  };
}

/** Every service of this process: what is served, described by reflection and counted healthy is this one list. */
function servicesOf(w: Wiring, parts: ApiParts, { ingestor, answers, memory, registry, closing }: Shared): Served[] {
  const { config, clock, metrics, logger, cleanups } = w;
  const { storage, live, scoring, progress, security, broker } = parts;
  const { address, sql, queries, names, log } = storage;
  const find = readingAt(queries);
  const { submitter, notices, readings, alertsChanged, incidentsChanged } = live;
  const ingest = createIngestService({
    ingestor,
    onStored: () => answers.expire(),
    find: (sensorId, timeUs) => find(names.current.shownOf(sensorId), timeUs),
    shutdown: closing,
  });
  const otlp: Served = {
    service: MetricsService,
    register: (router) =>
      registerOtlp(router, {
        ...{ ingestor, quota: security.quota, memory, onStored: () => answers.expire() },
        ...{ mapper: new OtlpMapper(), metrics, lines: new SampledLines(logger) },
      }),
  };
  const ingestServices = [served(IngestService, ingest), otlp];
  if (!config.roles.has("query")) return ingestServices;
  const { modelVersion } = scoring;
  const health = createHealthChecks(components(config, { ...storage, modelVersion, progress, broker, ...security }));
  const runner = new BacktestRunner({ ...judging(config), address, logLevel: config.logLevel });
  cleanups.add("backtests", () => runner.close());
  const readingsPerSecond = config.watchReadingsPerSecond;
  const shares = new WatchShares(metrics);
  const watch = { queries, names, metrics, shares, readings, alertsChanged, readingsPerSecond };
  const interested = followNames(names, notices);
  const { partitions } = log;
  const book = new SettingsBook(queries, partitions);
  const settings = new SettingsSync({ sql, book, partitions, submitter, clock, logger });
  settings.start();
  cleanups.add("settings of assets and types", () => settings.close());
  const { modelAccuracyThreshold: threshold, alarmsPerSensorDay } = config;
  const quarantine = createQuarantineMethods({
    queries: storage.quarantine,
    clock,
    submit: ingest.submitReadings,
  });
  return [
    ...ingestServices,
    served(QueryService, {
      ...createQueryService({ queries, clock, health, answers }),
      ...createCharts({ queries, registry }),
    }),
    served(WatchService, createWatchService({ ...watch, interested })),
    served(AlertService, createAlertService({ queries, registry, submitter, partitions })),
    served(
      DetectorService,
      createDetectorService({
        ...{ queries, submitter, partitions, clock, logger, runner, threshold, alarmsPerSensorDay, book, settings },
      }),
    ),
    served(
      IncidentService,
      createIncidentService({
        views: new IncidentViews(sql, config.incidents),
        alerts: alertActions({ queries, submitter, partitions }),
        shares,
        changed: incidentsChanged,
        wake: () => notices.publishAlerts(),
      }),
    ),
    served(
      RegistryService,
      createRegistryService({
        ...{ registry, clock, submitter, names, partitions },
        publishNames: () => notices.publishNames(),
        onPlaced: async (sensorIds, { signal }) => {
          await within(PLACED_MS, settings.placed(sensorIds), signal);
        },
        onChanged: async () => {
          // A deletion may have freed some.
          if (names.current.size > 0) notices.publishNames();
          await Promise.all([answers.expire(), names.refresh()]);
        },
      }),
    ),
    served(
      NotificationService,
      createNotificationService({
        ...{ sql, queries, clock, metrics, environment: process.env },
        ...{ links: config.links, externalUrl: config.externalUrl },
        acts: alertActions({ queries, submitter, partitions }),
        addresses: new AddressGuard(config.notifyAllowedHosts),
        pushKey: config.pushKey,
        wake: () => notices.publishNotifiable(),
      }),
    ),
    served(ReportService, createReportService({ sql, clock })),
    served(
      AdminService,
      createAdminService({
        tokens: security.tokens,
        consoleSessions: security.consoleSessions,
        verifyLogout: security.verifyLogout,
        audit: security.audit,
        clock,
        quarantine,
        auth: config.security.auth,
      }),
    ),
  ];
}
