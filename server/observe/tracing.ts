import type { Environment } from "../environment.ts";
import { text } from "../environment.ts";

export interface Tracing {
  /** Whether spans are exported; where they are not, leave the interceptors out. */
  readonly on: boolean;
  /** Sends what is waiting and stops. */
  close(): Promise<void>;
}

/**
 * Exports spans by OTLP when OpenTelemetry's own variables name a receiver (OTEL_EXPORTER_OTLP_ENDPOINT or its traces
 * variant). Without one nothing is loaded and the API's calls do nothing. The other OTEL_ variables (service name, sampler,
 * headers, protocol) mean what they mean everywhere.
 */
export async function startTracing(env: Environment, version: string): Promise<Tracing> {
  const wanted =
    text(env, "OTEL_EXPORTER_OTLP_ENDPOINT") !== undefined ||
    text(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") !== undefined;
  const disabled =
    text(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true" || text(env, "OTEL_TRACES_EXPORTER") === "none";
  if (!wanted || disabled) return { on: false, close: async () => {} };
  // Loaded only here: a process without a receiver does not pay for it.
  const { startNodeSdk } = await import("@opentelemetry/sdk-node");
  const named = text(env, "OTEL_SERVICE_NAME") !== undefined;
  const sdk = startNodeSdk({
    resourceAttributes: { "service.version": version, ...(named ? {} : { "service.name": "telltale" }) },
    // Metrics are scraped, logs are written: only spans leave by OTLP.
    metricReaders: [],
    logRecordProcessors: [],
  });
  return { on: true, close: () => sdk.shutdown() };
}
