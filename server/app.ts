/**
 * The process, in the order in which a reading travels: storage → live → scoring → API → gateway. It has the parts that its roles need.
 * Everything that is started is stopped in the opposite order.
 */

import type { RpcServer } from "./api/server.ts";
import { systemClock } from "./clock.ts";
import { type Config, hasServices } from "./config.ts";
import type { HttpProtocol } from "./ingest/protocol.ts";
import { httpProtocols } from "./ingest/protocols/http.ts";
import { urlHost } from "./lib/authority.ts";
import type { Logger } from "./observe/logger.ts";
import { createMetrics } from "./observe/metrics.ts";
import { Progress } from "./observe/progress.ts";
import { createForwarding, type Forwarding } from "./security/forwarded.ts";
import { createSecurity, type Security } from "./security/security.ts";
import { wireApi } from "./wiring/api.ts";
import { Cleanups } from "./wiring/cleanups.ts";
import { wireIncidents } from "./wiring/incidents.ts";
import { wireIngest } from "./wiring/ingest.ts";
import { wireLive } from "./wiring/live.ts";
import { wireMqtt } from "./wiring/mqtt.ts";
import { wireNotify } from "./wiring/notify.ts";
import { checkPorts } from "./wiring/ports.ts";
import { NO_SCORING, wireScoring } from "./wiring/scoring.ts";
import { type Storage, wireStorage } from "./wiring/storage.ts";
import { wireTimeZone } from "./wiring/time-zone.ts";
import type { Wiring } from "./wiring/wiring.ts";

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
  /** Aborts where the process is to end: a start that is under way goes no further. */
  readonly ending?: AbortSignal;
  /** Something is lost that cannot be brought back: the process should end. */
  readonly onFatal: (error: Error) => void;
  /** Ingest protocols over plain HTTP; absent: those of this version. */
  readonly protocols?: readonly HttpProtocol[];
}

/** Starts the platform. Throws StartupError with a sentence for people; what was started by then is stopped again. */
export async function startApp(options: AppOptions): Promise<App> {
  const { logger, ending, protocols = httpProtocols() } = options;
  const cleanups = new Cleanups();
  const stop = () => cleanups.run(logger);
  try {
    const ports = await wire({ ...options, protocols, ending, clock: systemClock, metrics: createMetrics(), cleanups });
    return { ...ports, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function wire(w: Wiring): Promise<Omit<App, "stop">> {
  const { config, cleanups } = w;
  await checkPorts(config);
  const forwarding = createForwarding(config.security.gatewaySecret);
  // The gateway's modules are most of all: they are loaded while the database starts, and only where they are needed.
  const [gatewayCode, api] = await Promise.all([
    config.roles.has("gateway") ? import("./wiring/gateway.ts") : undefined,
    hasServices(config) ? wireServices(w, forwarding) : undefined,
  ]);
  const grpcUrl = api === undefined ? config.grpcUrl : `http://${innerHost(config)}:${api.innerPort}`;
  const gateway = await gatewayCode?.wireGateway(w, { grpcUrl, own: api }, forwarding);
  // The first to stop: nobody is sent here any more, devices and subscribers are notified, and what is under way is answered.
  cleanups.add("gateway", async () => {
    api?.announceClose();
    await gateway?.close(config.shutdownGraceMs);
  });
  return { grpcPort: api?.port, httpPort: gateway && Number(new URL(gateway.url).port) };
}

async function wireServices(w: Wiring, forwarding: Forwarding): Promise<RpcServer> {
  const storage = await wireStorage(w);
  const security = await openSecurity(w, storage);
  const live = await wireLive(w, storage);
  const progress = new Progress(w.clock.monotonicMs);
  const scoring = w.config.roles.has("score") ? await wireScoring(w, storage, live, progress) : NO_SCORING;
  if (w.config.roles.has("notify")) wireNotify(w, storage, live);
  if (w.config.roles.has("score")) wireIncidents(w, storage, live);
  const ingestor = await wireIngest(w, storage, live);
  const broker = await wireMqtt(w, storage, ingestor);
  const api = await wireApi(w, { storage, live, scoring, progress, security, forwarding, ingestor, broker });
  await scoring.consume();
  if (w.config.roles.has("score")) wireTimeZone(w, storage, live);
  broker?.start();
  return api;
}

async function openSecurity({ config, clock, logger, cleanups }: Wiring, { sql }: Storage): Promise<Security> {
  const { security: settings, bindAddress, allowedHosts: allowedOrigins, dataDir, redisUrl } = config;
  const addresses = { bindAddress, allowedOrigins, dataDir, redisUrl };
  const security = await createSecurity({ settings, ...addresses, sql, clock, logger });
  cleanups.add("security", () => security.close());
  if (security.adminTokenFile !== undefined) {
    logger.info({ file: security.adminTokenFile }, "the administrator's token is in this file");
  }
  return security;
}

/** Where a process finds its own gRPC listener; behind TLS there is an inner one on the loopback. */
function innerHost({ bindAddress, security }: Config): string {
  if (security.tls !== undefined) return "127.0.0.1";
  if (bindAddress === "0.0.0.0") return "127.0.0.1";
  if (bindAddress === "::") return "[::1]";
  return urlHost(bindAddress);
}
