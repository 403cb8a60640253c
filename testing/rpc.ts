import type { ConnectRouter } from "@connectrpc/connect";
import { IngestService } from "../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import { WatchService } from "../gen/es/telltale/v1/watch_pb.ts";
import { type RpcServer, type RpcServerOptions, startRpcServer } from "../server/api/server.ts";
import { TelltaleError } from "../server/errors.ts";
import { onAbort } from "../server/lib/signals.ts";
import { createLogger } from "../server/observe/logger.ts";
import { createMetrics } from "../server/observe/metrics.ts";

export interface Listener extends RpcServer {
  readonly url: string;
  /** Lines that the server has logged. */
  readonly lines: string[];
}

/** The gRPC listener with services that show how it behaves, without the platform behind it. */
export async function openListener(options: Partial<RpcServerOptions> = {}): Promise<Listener> {
  const lines: string[] = [];
  const server = await startRpcServer({
    host: "127.0.0.1",
    port: 0,
    services: [QueryService, IngestService, WatchService],
    logger: createLogger({ level: "debug", write: (line) => lines.push(line) }),
    metrics: createMetrics({ processMetrics: false }),
    routes: plainServices,
    ...options,
  });
  server.health.setServing(true);
  return { ...server, url: `http://127.0.0.1:${server.port}`, lines };
}

/** What no client and no line but one of the log may ever see. */
export const innerText = "connection to 10.1.2.3 refused for user telltale";

function plainServices(router: ConnectRouter): void {
  router.service(QueryService, {
    listReadings: ({ sensorId }) => ({ readings: [{ id: 1n, sensorId }] }),
    getLatestReading() {
      throw new TelltaleError("not_found", "Sensor data not found");
    },
    getSensorStats() {
      throw new TelltaleError("exhausted", "Too many questions", { retryAfterMs: 1_500 });
    },
    getPlatformStats() {
      throw new Error(innerText);
    },
    // Answers never: only a deadline, the caller or a shutdown ends it.
    getPlatformHealth: (_, { signal }) => aborted(signal),
  });
  router.service(IngestService, {
    async *streamReadings(requests) {
      for await (const { sequence } of requests) yield { durableSequence: sequence };
    },
    submitReadings: ({ readings }) => ({ counts: { accepted: BigInt(readings.length) } }),
  });
  router.service(WatchService, {
    async *watchReadings(_, { signal }) {
      yield { resumeToken: "first" };
      await aborted(signal);
    },
    // biome-ignore lint/correctness/useYield: it fails before its first message, which is what is shown
    async *watchAlerts() {
      throw new Error(innerText);
    },
  });
}

/** Rejects with the signal's reason, and never resolves. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => onAbort(signal, () => reject(signal.reason)));
}
