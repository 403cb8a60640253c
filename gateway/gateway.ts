/**
 * The HTTP listener: REST, GraphQL, documents and metrics on one port. It calls the services by gRPC like any other client; where
 * they are in this process, REST calls them within it.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { SecureContextOptions } from "node:tls";
import type { Logger } from "pino";
import description from "../package.json" with { type: "json" };
import { canonicalAuthority, urlHost } from "../server/lib/authority.ts";
import { answerOrigin } from "../server/lib/cors.ts";
import { spareLong } from "../server/lib/long-requests.ts";
import { openCalls } from "./alertmanager/calls.ts";
import { openAlertmanager } from "./alertmanager/serve.ts";
import { CONNECT_ROUTE, Forwarder } from "./console/connect.ts";
import { OidcFlow, type OidcSignIn } from "./console/oidc.ts";
import { ConsolePage } from "./console/page.ts";
import { Sessions } from "./console/sessions.ts";
import { gatewayCors } from "./cors.ts";
import { GRAPHQL_PATH, graphqlRuntime } from "./graphql/runtime.ts";
import { graphqlSockets } from "./graphql/sockets.ts";
import type { Live } from "./graphql/subscriptions.ts";
import { createGuard } from "./guard.ts";
import { takeHeaders } from "./headers.ts";
import { heartbeatHandlers } from "./heartbeats/serve.ts";
import { detail, INTERNAL_ERROR, refusal, send } from "./http.ts";
import type { IngestPaths } from "./ingest.ts";
import { LINK_ROUTE, linkHandlers } from "./links/serve.ts";
import { CLIENT_HEADER } from "./mesh/call.ts";
import { grpcAddress } from "./mesh/channel.ts";
import { tameLogLevel } from "./mesh/logging.ts";
import { GatewayMetrics } from "./metrics.ts";
import type { CallInProcess } from "./rest/direct.ts";
import { createRest } from "./rest/serve.ts";
import { METRICS_PATH, Router } from "./router.ts";
import { endOnError, refuseUpgrade } from "./upgrade.ts";

export interface GatewayOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Where the services are, for example "http://127.0.0.1:50051". */
  readonly grpcUrl: string;
  /** Calls the services where they are in this process; absent: over gRPC. */
  readonly callInProcess?: CallInProcess | undefined;
  /** Origins whose pages may call; "*" for all. */
  readonly allowedOrigins: readonly string[];
  /** Ingest protocols over plain HTTP that are served here too; absent: none. */
  readonly ingest?: IngestPaths;
  readonly logger: Logger;
  /** Which Host headers are answered; absent: any. */
  readonly allowsHost?: (authority: string) => boolean;
  /** The refusal for a page that may not change anything; undefined where it may, or where no page asks; absent: all may. */
  readonly mayAct?: (headers: PageHeaders) => string | undefined;
  /** Whether callers have to say who they are: then no page of any origin may send their credentials. */
  readonly auth?: boolean;
  /** Makes of a caller's address what the services believe; absent: they count all callers as this gateway. */
  readonly signClient?: (address: string) => string;
  /** Shared by all gateways of an installation: seals the sessions of browsers; absent: they end with this process. */
  readonly sessionSecret?: string | undefined;
  /** Where people sign in to the console; absent: with a token alone. */
  readonly oidcSignIn?: OidcSignIn | undefined;
  /** Take the `timestamp` of a REST reading for its `observed_at`; absent: it is ignored, as existing clients expect. */
  readonly acceptTimestamp?: boolean;
  /** Certificate and key; absent: clear text. */
  readonly tls?: GatewayTls | undefined;
  /** Metrics of the rest of this process in Prometheus' text format; the gateway's own follow them. */
  readonly metricsText?: () => Promise<string>;
}

/** What a request says of the page that sent it. */
export interface PageHeaders {
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
  readonly host: string;
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

const SWEEP_MS = 50;

/** For the executors behind the listeners, which have nothing to do once the listeners are closed. */
const DISPOSE_MS = 1_000;

/** @throws the error of `listen` (EADDRINUSE, EACCES) where the port cannot be had */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { logger } = options;
  tameLogLevel(process.env);
  const address = grpcAddress(options.grpcUrl);
  const metrics = new GatewayMetrics();
  const cors = gatewayCors(options.allowedOrigins, options.auth ?? false);
  const guard = options.auth ? createGuard(options.grpcUrl) : undefined;
  const allowsHost = options.allowsHost ?? (() => true);
  const acceptTimestamp = options.acceptTimestamp ?? false;
  const { callInProcess } = options;
  const rest = await createRest({ address, logger, metrics, acceptTimestamp, callInProcess });
  const alertmanager = openAlertmanager({ address, callInProcess, logger });
  const notificationCalls = openCalls(address, callInProcess);
  const ending = new AbortController();
  const live: Live = { ending: ending.signal, requests: new WeakSet() };
  const runtime = graphqlRuntime(address, logger, live);
  // Loaded now and not by the first request: a websocket's would find no schema.
  await runtime.getSchema();
  const sockets = graphqlSockets(runtime, live, metrics, logger);
  const forwarder = new Forwarder({ grpcUrl: options.grpcUrl, ending: ending.signal });
  const sessions = new Sessions({
    grpcUrl: options.grpcUrl,
    auth: options.auth ?? false,
    secret: options.sessionSecret,
    tls: options.tls !== undefined,
    oidc: options.oidcSignIn && new OidcFlow(options.oidcSignIn, options.sessionSecret, logger),
  });
  const page = new ConsolePage({ grpcUrl: options.grpcUrl, sessions });
  const router = new Router({
    ...{ forwarder, sessions, page },
    rest,
    alertmanager,
    links: linkHandlers(notificationCalls),
    heartbeats: heartbeatHandlers(notificationCalls, (request) => pageRefusal(request)),
    graphql: runtime,
    metricsText: async () => metrics.text((await options.metricsText?.()) ?? ""),
    isReady: () => !ending.signal.aborted,
    pageRefusal: (request) => pageRefusal(request),
    ingest: options.ingest ?? { paths: [], serve: () => {} },
    version: description.version,
  });

  const pageRefusal = ({ headers }: IncomingMessage) =>
    options.mayAct?.({
      origin: headers.origin,
      secFetchSite: headers["sec-fetch-site"] as string | undefined,
      host: headers.host ?? "",
    });
  const mark = (request: IncomingMessage) => markClient(request, options.signClient);
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const began = process.hrtime.bigint();
    takeHost(request);
    const matched = router.match(request);
    response.once("finish", () => {
      metrics.requests.inc({ route: matched.route, method: request.method ?? "", status: response.statusCode });
      metrics.seconds.observe({ route: matched.route }, Number(process.hrtime.bigint() - began) / 1e9);
    });
    if (ending.signal.aborted) response.setHeader("connection", "close");
    if (!allowsHost(request.headers.host ?? "")) return send(response, MISDIRECTED);
    if (answerOrigin(request, response, cors)) return;
    const fault = takeHeaders(request.headers);
    if (fault !== undefined) return send(response, refusal(matched.route === GRAPHQL_PATH, fault));
    const foreign = pageRefusal(request);
    // What a GraphQL request does stands in its body; Connect's clients read refusals in a form of their own.
    if (foreign !== undefined && !OWN_REFUSALS.has(matched.route) && !LOOKS.has(request.method ?? ""))
      return send(response, refusal(false, { status: 403, message: foreign }));
    mark(request);
    try {
      // Other methods than GET are nobody's there, whoever asks.
      const guarded = matched.route === METRICS_PATH && request.method === "GET";
      const refused = guarded ? await guard?.(request.headers) : undefined;
      if (refused !== undefined) return await send(response, refused);
      await matched.handle(request, response);
    } catch (error) {
      const fields = { err: error, method: request.method, route: matched.route };
      // One whose caller left in the middle of its body is nobody's fault here: anybody could fill the log with them.
      if (request.destroyed && !request.complete) return logger.debug(fields, "request broken off");
      logger.error(fields, "request failed");
      if (response.headersSent) response.destroy();
      else await send(response, INTERNAL_ERROR);
    }
  };

  const server = openServer(options.tls);
  spareLong(server);
  server.on("request", (request, response) => void handle(request, response));
  server.on("upgrade", (request, socket, head) => {
    endOnError(socket);
    takeHost(request);
    const { origin } = request.headers;
    const known = request.url?.split("?")[0] === GRAPHQL_PATH && allowsHost(request.headers.host ?? "");
    const ours = known && (origin === undefined || cors.allows(origin) !== "no");
    const fault = takeHeaders(request.headers);
    mark(request);
    if (fault !== undefined) refuseUpgrade(socket, `${fault.status} Refused`);
    else if (ours) sockets.upgrade(request, socket, head, pageRefusal(request));
    else refuseUpgrade(socket, "404 Not Found");
  });

  await listen(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    url: `${options.tls ? "https" : "http"}://${urlHost(options.host)}:${port}`,
    async close(graceMs) {
      const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      // A connection is kept alive after its last answer: each has to be caught when it is idle.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      // Websockets first: their clients read the reason from the close, those of event streams from a last event.
      const gone = sockets.close("The platform is shutting down; connect again", graceMs);
      ending.abort();
      await Promise.all([gone, stopped]);
      clearTimeout(timer);
      clearInterval(sweep);
      options.tls?.close();
      forwarder.close();
      alertmanager.close();
      notificationCalls.close();
      // Mesh waits for operations that nobody is left to read; the process must not.
      const disposed = Promise.all([rest.close(), runtime[Symbol.asyncDispose]()]).then(() => true);
      if (!(await Promise.race([disposed, delay(DISPOSE_MS, false, { ref: false })])))
        logger.warn({ waitedMs: DISPOSE_MS }, "the gateway's executors did not end in time and were left");
    },
  };
}

/** The Host header in the form that addresses are made of. */
function takeHost({ headers, socket }: IncomingMessage): void {
  if (headers.host !== undefined) headers.host = canonicalAuthority(headers.host, socket.localPort);
}

/** Writes down whose request it is, for the services; whatever a caller says of that itself is removed. */
function markClient({ headers, socket }: IncomingMessage, sign: GatewayOptions["signClient"]): void {
  delete headers[CLIENT_HEADER];
  if (sign !== undefined) headers[CLIENT_HEADER] = sign(socket.remoteAddress ?? "");
}

/** Routes that refuse foreign pages themselves, or need not: no page knows a link, and a page that hides its address has the origin `null`. */
const OWN_REFUSALS: ReadonlySet<string> = new Set([GRAPHQL_PATH, CONNECT_ROUTE, LINK_ROUTE]);

/** Methods that change nothing. */
const LOOKS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Contains nothing that a page of another site could use. */
const MISDIRECTED = detail(421, "This server does not answer to that Host; call it by a name of the loopback");

function openServer(tls: GatewayTls | undefined): Server {
  const limits = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Clients offer other protocols beside HTTP/1.1 (Java's and curl's HTTP/2): those are answered as if they had not.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === "websocket",
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
