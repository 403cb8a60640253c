import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { AllowsOrigin } from "../lib/cors.ts";
import type { Logger } from "../observe/logger.ts";
import type { Metrics } from "../observe/metrics.ts";
import { requestId, SampledLines } from "../observe/sampled.ts";
import type { TlsFiles } from "../security/tls.ts";
import { createAdapter, peerOf } from "./adapter.ts";
import { callerGone } from "./call-signal.ts";
import { blameUnreadable, errorInterceptor, REQUEST_ID, refusalLine, toConnectError } from "./errors.ts";
import { createHealth, type HealthRegistry } from "./health.ts";
import { createInProcessCall, type InProcessCall } from "./in-process.ts";
import { endingInterceptor } from "./interceptors/ending.ts";
import { kindOf, metricsInterceptor } from "./interceptors/metrics.ts";
import { statusName, tracingInterceptor } from "./interceptors/tracing.ts";
import { validationInterceptor } from "./interceptors/validation.ts";
import { defaultLimits, type RpcLimits } from "./limits.ts";
import { listen } from "./listener.ts";
import { answerPlain } from "./plain.ts";
import { createProtocolRoutes, type ProtocolOptions } from "./protocol-routes.ts";
import { protocolServer, type ServeProtocol } from "./protocol-server.ts";
import { createReadRoutes, type ReadOptions } from "./read-routes.ts";
import { reflectionRoutes } from "./reflection.ts";
import { createShortPath } from "./short-path.ts";

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
  /** Rejects for who may not see `GET /metrics`, by the authorization header; absent: whoever reaches the listener may. */
  readonly metricsGate?: (authorization: string | null) => Promise<void>;
  /** Ingest protocols over plain HTTP; absent: none. */
  readonly protocols?: ProtocolOptions;
  /** What reads over plain HTTP; absent: nothing does. */
  readonly reads?: ReadOptions | undefined;
  /** Certificates; absent: clear text. */
  readonly tls?: TlsFiles | undefined;
}

export interface RpcServer {
  readonly port: number;
  /** The same listener in clear text on the loopback, for this process's own gateway; `port` where there is no TLS. */
  readonly innerPort: number;
  /** Calls the services from within this process. */
  readonly call: InProcessCall;
  /** Answers a request of another listener of this process by the protocol that has its path; false where none has. */
  readonly serveProtocol: ServeProtocol;
  /** NOT_SERVING until the wiring says otherwise. */
  readonly health: HealthRegistry;
  /** Aborts, with UNAVAILABLE, when the server is about to close: streams end then. */
  readonly shutdownSignal: AbortSignal;
  /** Reports NOT_SERVING and ends streams with UNAVAILABLE; other calls are still answered. */
  announceClose(): void;
  /** Announces it where that was not done, lets calls under way end for at most `graceMs`, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Methods whose calls are small and many. */
const SHORT = [IngestService.method.submitReadings];

/** Connect, gRPC and gRPC-Web over HTTP/1.1 and HTTP/2 on one port, with gRPC health and reflection, `GET /health` and `GET /metrics`. */
export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer> {
  const limits = { ...defaultLimits, ...options.limits };
  const { metrics, metricsGate } = options;
  const health = createHealth(options.services);
  const reflection = reflectionRoutes(options.services);
  const shutdown = new AbortController();
  const cut = new AbortController();
  const lines = new SampledLines(options.logger);
  const interceptors = chain(options, lines, shutdown.signal);
  const gate = guarded(options, lines);
  const call = createInProcessCall({ routes: options.routes, interceptors, gate });
  const protocols = protocolRoutes(options, { lines, limits, cut: cut.signal, ending: shutdown.signal });
  const reads = readRoutes(options, { lines, limits, cut: cut.signal });
  const serveProtocol = protocolServer(protocols, reads, limits.requestTimeoutMs, options.logger);
  const onRequest = createAdapter({
    routes(router) {
      options.routes(router);
      health.routes(router);
      reflection(router);
    },
    fallback: (request, response) => void answerPlain(request, response, { health, metrics, metricsGate }),
    protocols: serveProtocol,
    shortPath: createShortPath({
      ...{ methods: SHORT, call, readMaxBytes: limits.maxMessageBytes, peerOf },
      ...{ cut: cut.signal, logger: options.logger },
    }),
    onUnknownMethod: () => metrics.rpcs.inc({ method: "(unknown)", code: "UNIMPLEMENTED", kind: "unary" }),
    interceptors,
    readMaxBytes: limits.maxMessageBytes,
    requestTimeoutMs: limits.requestTimeoutMs,
    maxHeaderBytes: limits.maxHeaderBytes,
    maxStreamingCalls: limits.maxStreamingCalls,
    allowsHost: options.allowsHost ?? (() => true),
    allowsOrigin: options.allowsOrigin ?? (() => "no"),
    shutdownSignal: cut.signal,
    requestGate: gate,
    logger: options.logger,
  });
  const onConnections = (count: number) => options.metrics.connections.set(count);
  const { host, port, tls } = options;
  const listener = await listen({ host, port, tls, limits, onRequest, onConnections });
  const own = { host: "127.0.0.1", port: 0, limits, onRequest, onConnections: () => {} };
  const inner = tls === undefined ? undefined : await listen(own);
  const closing = () => new ConnectError("The server is shutting down: connect again", Code.Unavailable);
  const announceClose = () => {
    health.shutdown();
    shutdown.abort(closing());
  };
  return {
    port: listener.port,
    innerPort: inner?.port ?? listener.port,
    health,
    shutdownSignal: shutdown.signal,
    call,
    serveProtocol: serveProtocol.serve,
    announceClose,
    async close(graceMs) {
      announceClose();
      const late = setTimeout(() => cut.abort(closing()), graceMs);
      await Promise.all([listener.close(graceMs), inner?.close(graceMs)]);
      clearTimeout(late);
    },
  };
}

function protocolRoutes(
  { protocols, metrics, logger }: RpcServerOptions,
  o: {
    readonly lines: SampledLines;
    readonly limits: RpcLimits;
    readonly cut: AbortSignal;
    readonly ending: AbortSignal;
  },
) {
  if (protocols === undefined) return undefined;
  const { lines, limits, cut, ending } = o;
  const { maxProtocolBytes: maxBodyBytes, answerTimeoutMs } = limits;
  const streams = { ...limits, ending };
  return createProtocolRoutes({
    ...{ ...protocols, maxBodyBytes, answerTimeoutMs, peerOf, metrics, logger, lines, cut, streams },
  });
}

function readRoutes(
  { reads, metrics, logger }: RpcServerOptions,
  { lines, limits, cut }: { readonly lines: SampledLines; readonly limits: RpcLimits; readonly cut: AbortSignal },
) {
  if (reads === undefined) return undefined;
  return createReadRoutes({ ...reads, answerTimeoutMs: limits.answerTimeoutMs, peerOf, metrics, logger, lines, cut });
}

/** Outermost first. Metrics and tracing see errors as clients do. */
function chain(options: RpcServerOptions, lines: SampledLines, ending: AbortSignal): Interceptor[] {
  const { logger, metrics, tracing, services, unvalidated, interceptors } = options;
  return [
    metricsInterceptor(metrics),
    ...(tracing ? [tracingInterceptor()] : []),
    errorInterceptor(logger, lines),
    endingInterceptor(ending),
    ...(interceptors ?? []),
    validationInterceptor(services, unvalidated ?? new Set()),
  ];
}

/** What is refused here reaches no interceptor: it is mapped, counted and logged here too. */
function guarded({ gate, metrics }: RpcServerOptions, lines: SampledLines) {
  return async (context: HandlerContext) => {
    if (context.method.methodKind === "unary") blameUnreadable(context);
    try {
      await gate?.(context);
      // Meanwhile the caller may have gone: what came of its request need not be all of it, and Connect would run it.
      const { aborted, reason } = context.signal;
      if (aborted) throw reason instanceof ConnectError ? reason : callerGone();
    } catch (error) {
      const failure = toConnectError(error);
      const method = `${context.service.typeName}/${context.method.name}`;
      metrics.rpcs.inc({ method, code: statusName(failure.code), kind: kindOf(context.method) });
      refusalLine(lines, failure, method, requestId(context.requestHeader.get(REQUEST_ID)));
      throw failure;
    }
  };
}
