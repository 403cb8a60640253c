/** The HTTP door: REST, GraphQL, documents and metrics on one port. It calls the services by gRPC like any other client. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { SecureContextOptions } from "node:tls";
import type { Logger } from "pino";
import description from "../package.json" with { type: "json" };
import { Cors } from "./cors.ts";
import { GRAPHQL_PATH, graphqlRuntime } from "./graphql/runtime.ts";
import { graphqlSockets } from "./graphql/sockets.ts";
import { createGuard } from "./guard.ts";
import { detail, INTERNAL_ERROR, send } from "./http.ts";
import { CLIENT_HEADER } from "./mesh/call.ts";
import { grpcAddress } from "./mesh/channel.ts";
import { tameLogLevel } from "./mesh/logging.ts";
import { GatewayMetrics } from "./metrics.ts";
import { createRest } from "./rest/serve.ts";
import { METRICS_PATH, Router } from "./router.ts";

export interface GatewayOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where the services are, for example "http://127.0.0.1:50051". */
  readonly grpcUrl: string;
  /** Origins whose pages may call; "*" for all. */
  readonly allowedOrigins: readonly string[];
  readonly logger: Logger;
  /** Which Host headers are answered; absent: any. */
  readonly allowsHost?: (authority: string) => boolean;
  /** Whether callers have to say who they are: then no page of any origin may send their credentials. */
  readonly auth?: boolean;
  /** Makes of a caller's address what the services believe; absent: they count all callers as this gateway. */
  readonly signClient?: (address: string) => string;
  /** Certificate and key; absent: clear text. */
  readonly tls?: GatewayTls | undefined;
  /** Metrics of the rest of this process in Prometheus' text format; the gateway's own follow them. */
  readonly metricsText?: () => Promise<string>;
}

export interface GatewayTls {
  readonly current: SecureContextOptions;
  /** Called with new contents when the certificate is renewed. */
  onChange: (options: SecureContextOptions) => void;
  close(): void;
}

export interface Gateway {
  /** For example "http://127.0.0.1:8000". */
  readonly url: string;
  /** Takes no new requests, closes websockets with a reason, waits for requests under way, at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Slower clients than this are not worth a connection. */
const HEADERS_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than the idle time of common load balancers (60 s), so that it is they who close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

/** For the executors behind the doors, which have nothing to do any more once the doors are closed. */
const DISPOSE_MS = 1_000;

/** @throws the error of `listen` (EADDRINUSE, EACCES) where the port cannot be had */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { logger } = options;
  tameLogLevel(process.env);
  const address = grpcAddress(options.grpcUrl);
  const metrics = new GatewayMetrics();
  const cors = new Cors(options.allowedOrigins, options.auth ?? false);
  const guard = options.auth ? createGuard(options.grpcUrl) : undefined;
  const allowsHost = options.allowsHost ?? (() => true);
  const rest = await createRest(address, logger);
  const runtime = graphqlRuntime(address, logger);
  // Loaded now and not by the first request: a websocket's would find no schema.
  await runtime.getSchema();
  const sockets = graphqlSockets(runtime, metrics, logger);
  const router = new Router({
    rest,
    graphql: runtime,
    metricsText: async () => metrics.text((await options.metricsText?.()) ?? ""),
    version: description.version,
  });

  const mark = (request: IncomingMessage) => markClient(request, options.signClient);
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const began = process.hrtime.bigint();
    const matched = router.match(request);
    response.once("finish", () => {
      metrics.requests.inc({ route: matched.route, method: request.method ?? "", status: response.statusCode });
      metrics.seconds.observe({ route: matched.route }, Number(process.hrtime.bigint() - began) / 1e9);
    });
    if (!allowsHost(request.headers.host ?? "")) return send(response, MISDIRECTED);
    if (cors.handle(request, response)) return;
    mark(request);
    try {
      // Other methods than GET are nobody's there, whoever asks.
      const guarded = matched.route === METRICS_PATH && request.method === "GET";
      const refusal = guarded ? await guard?.(request.headers.authorization) : undefined;
      if (refusal !== undefined) return send(response, refusal);
      await matched.handle(request, response);
    } catch (error) {
      logger.error({ err: error, method: request.method, route: matched.route }, "request failed");
      if (response.headersSent) response.destroy();
      else send(response, INTERNAL_ERROR);
    }
  };

  const server = openServer(options.tls);
  server.on("request", (request, response) => void handle(request, response));
  server.on("upgrade", (request, socket, head) => {
    const { origin } = request.headers;
    const known = request.url?.split("?")[0] === GRAPHQL_PATH && allowsHost(request.headers.host ?? "");
    const ours = known && (origin === undefined || cors.allows(origin));
    mark(request);
    if (ours) sockets.upgrade(request, socket, head);
    else socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  });

  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls ? "https" : "http"}://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`,
    async close(graceMs) {
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await sockets.close("The platform is shutting down; connect again", graceMs);
      await stopped;
      clearTimeout(timer);
      options.tls?.close();
      // Mesh waits for operations that nobody is left to read; the process must not.
      const disposed = Promise.all([rest.close(), runtime[Symbol.asyncDispose]()]).then(() => true);
      if (!(await Promise.race([disposed, delay(DISPOSE_MS, false, { ref: false })])))
        logger.warn({ waitedMs: DISPOSE_MS }, "the gateway's executors did not end in time and were left");
    },
  };
}

/** Writes down whose request it is, for the services; whatever a caller says of that itself is removed. */
function markClient({ headers, socket }: IncomingMessage, sign: GatewayOptions["signClient"]): void {
  delete headers[CLIENT_HEADER];
  if (sign !== undefined) headers[CLIENT_HEADER] = sign(socket.remoteAddress ?? "");
}

/** Says nothing that a page of another site could use. */
const MISDIRECTED = detail(421, "This server does not answer to that Host; call it by a name of the loopback");

function openServer(tls: GatewayTls | undefined): Server {
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  };
  if (tls === undefined) return createServer(limits);
  const server = createTlsServer({ ...limits, cert: tls.current.cert, key: tls.current.key } as ServerOptions);
  tls.onChange = ({ cert, key }) => server.setSecureContext({ cert, key } as SecureContextOptions);
  return server;
}

function listen(server: Server, { host, port }: GatewayOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
