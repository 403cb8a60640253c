/** Answers of the gRPC listener to plain HTTP requests: health and metrics. */
import { Code } from "@connectrpc/connect";
import type { Metrics } from "../observe/metrics.ts";
import { toConnectError } from "./errors.ts";
import type { HealthRegistry } from "./health.ts";
import { type NodeServerRequest, type NodeServerResponse, pathOf, send, sendJson } from "./node-http.ts";

export interface PlainOptions {
  readonly health: HealthRegistry;
  readonly metrics: Metrics;
  /** Rejects for who may not see the metrics, by the authorization header; absent: whoever reaches the listener may. */
  readonly metricsGate?: ((authorization: string | null) => Promise<void>) | undefined;
}

/** All that is answered here. */
export const PLAIN_PATHS = ["/health", "/metrics"];

/** Paths of the gateway, which somebody asks for who has the wrong one of the two ports. */
const OF_THE_GATEWAY = /^\/(?:api\/|docs$|redoc$|openapi\.json$)/;
const WRONG_PORT =
  "Not Found: this is the gRPC port. REST and GraphQL are on the port that the variable PORT sets, 8000 by default.";

const platform = "intelligent-detection-monitoring";
const statusOf = new Map([
  [Code.Unauthenticated, 401],
  [Code.PermissionDenied, 403],
]);

export async function answerPlain(
  request: NodeServerRequest,
  response: NodeServerResponse,
  { health, metrics, metricsGate }: PlainOptions,
): Promise<void> {
  const path = pathOf(request);
  if (!PLAIN_PATHS.includes(path)) {
    sendJson(response, 404, { detail: OF_THE_GATEWAY.test(path) ? WRONG_PORT : "Not Found" });
  } else if (request.method !== "GET" && request.method !== "HEAD") {
    sendJson(response, 405, { detail: "Method Not Allowed" }, { allow: "GET, HEAD" });
  } else if (path === "/metrics") {
    await answerMetrics(request, response, metrics, metricsGate);
  } else {
    sendJson(response, health.serving ? 200 : 503, { status: health.serving ? "healthy" : "unavailable", platform });
  }
}

async function answerMetrics(
  request: NodeServerRequest,
  response: NodeServerResponse,
  metrics: Metrics,
  gate: PlainOptions["metricsGate"],
): Promise<void> {
  try {
    await gate?.(request.headers.authorization ?? null);
    const text = await metrics.text();
    send(response, { status: 200, headers: { "content-type": metrics.contentType }, body: text });
  } catch (error) {
    const { code, rawMessage } = toConnectError(error);
    sendJson(response, statusOf.get(code) ?? 503, { detail: rawMessage });
  }
}
