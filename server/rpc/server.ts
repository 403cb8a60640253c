import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import { requestId, SampledLines } from "../observe/sampled.ts";
import type { TlsFiles } from "../security/tls.ts";
import { createAdapter } from "./adapter.ts";
import { errorInterceptor, REQUEST_ID, refusalLine, toConnectError } from "./errors.ts";
import { createHealth, type HealthRegistry } from "./health.ts";
import { metricsInterceptor } from "./interceptors/metrics.ts";
import { statusName, tracingInterceptor } from "./interceptors/tracing.ts";
import { validationInterceptor } from "./interceptors/validation.ts";
import { defaultLimits, type RpcLimits } from "./limits.ts";
import { listen } from "./listener.ts";
import type { AllowsOrigin } from "./origins.ts";
import { answerPlain } from "./plain.ts";
import { reflectionRoutes } from "./reflection.ts";

export interface RpcServerOptions {
  readonly host: string;
  /** 0 asks the system for a free port. */
  readonly port: number;
  /** What `routes` serves: for reflection, health and the rules of requests. */
  readonly services: readonly DescService[];
  readonly routes: (router: ConnectRouter) => void;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Whether spans are exported. */
  readonly tracing?: boolean;
  /** "service/method" of those that judge their request themselves, part by part. */
  readonly unvalidated?: ReadonlySet<string>;
  /** Runs when a call's headers are there and nothing else of it: says who calls, or throws. */
  readonly gate?: (context: HandlerContext) => void | Promise<void>;
  readonly interceptors?: readonly Interceptor[];
  readonly limits?: Partial<RpcLimits>;
  /** Which Host headers are answered; absent: any. */
  readonly allowsHost?: (authority: string) => boolean;
  /** Pages of which origins may call; absent: none. */
  readonly allowsOrigin?: AllowsOrigin;
  /** Rejects for who may not see `GET /metrics`, by the authorization header; absent: whoever reaches the door may. */
  readonly metricsGate?: (authorization: string | null) => Promise<void>;
  /** Certificates; absent: clear text. */
  readonly tls?: TlsFiles | undefined;
}

export interface RpcServer {
  readonly port: number;
  /** The same door in clear text on the loopback, for this process's own gateway; `port` where there is no TLS. */
  readonly innerPort: number;
  /** NOT_SERVING until the wiring says otherwise. */
  readonly health: HealthRegistry;
  /** Aborts, with UNAVAILABLE, when the server begins to close: long calls end then. */
  readonly shutdownSignal: AbortSignal;
  /** Says NOT_SERVING, ends long calls with UNAVAILABLE, lets the others end for at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Connect, gRPC and gRPC-Web over HTTP/1.1 and HTTP/2 on one port, with gRPC health and reflection, `GET /health` and `GET /metrics`. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const limits = { ...defaultLimits, ...options.limits };
  const { metrics, metricsGate } = options;
  const health = createHealth(options.services);
  const reflection = reflectionRoutes(options.services);
  const shutdown = new AbortController();
  const lines = new SampledLines(options.logger);
  const onRequest = createAdapter({
    routes(router) {
      options.routes(router);
      health.routes(router);
      reflection(router);
    },
    fallback: (request, response) => void answerPlain(request, response, { health, metrics, metricsGate }),
    interceptors: chain(options, lines),
    readMaxBytes: limits.maxMessageBytes,
    requestTimeoutMs: limits.requestTimeoutMs,
    maxHeaderBytes: limits.maxHeaderBytes,
    allowsHost: options.allowsHost ?? (() => true),
    allowsOrigin: options.allowsOrigin ?? (() => false),
    shutdownSignal: shutdown.signal,
    requestGate: guarded(options, lines),
    logger: options.logger,
  });
  const onConnections = (count: number) => options.metrics.connections.set(count);
  const { host, port, tls } = options;
  const listener = await listen({ host, port, tls, limits, onRequest, onConnections });
  const own = { host: "127.0.0.1", port: 0, limits, onRequest, onConnections: () => {} };
  const inner = tls === undefined ? undefined : await listen(own);
  return {
    port: listener.port,
    innerPort: inner?.port ?? listener.port,
    health,
    shutdownSignal: shutdown.signal,
    async close(graceMs) {
      health.shutdown();
      shutdown.abort(new ConnectError("The server is shutting down: connect again", Code.Unavailable));
      await Promise.all([listener.close(graceMs), inner?.close(graceMs)]);
    },
  };
}

/** Outermost first. Metrics and tracing see errors as clients do. */
function chain(options: RpcServerOptions, lines: SampledLines): Interceptor[] {
  const { logger, metrics, tracing, services, unvalidated, interceptors } = options;
  return [
    metricsInterceptor(metrics),
    ...(tracing ? [tracingInterceptor()] : []),
    errorInterceptor(logger, lines),
    ...(interceptors ?? []),
    validationInterceptor(services, unvalidated ?? new Set()),
  ];
}

/** What is refused here reaches no interceptor: it is mapped, counted and told of here too. */
function guarded({ gate, metrics }: RpcServerOptions, lines: SampledLines) {
  return async (context: HandlerContext) => {
    try {
      await gate?.(context);
    } catch (error) {
      const told = toConnectError(error);
      const method = `${context.service.typeName}/${context.method.name}`;
      metrics.rpcs.inc({ method, code: statusName(told.code) });
      refusalLine(lines, told, method, requestId(context.requestHeader.get(REQUEST_ID)));
      throw told;
    }
  };
}
