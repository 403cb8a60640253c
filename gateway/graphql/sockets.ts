/**
 * GraphQL over websockets, by the graphql-transport-ws protocol. A subscriber is served as fast as it reads: what it has not taken
 * holds back the service, and one that takes nothing for too long is closed with a reason.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type GatewayRuntime, getGraphQLWSOptions } from "@graphql-hive/gateway-runtime";
import { GraphQLError } from "graphql";
import { handleProtocols, makeServer, type ServerOptions } from "graphql-ws";
import type { Logger } from "pino";
import { type WebSocket, WebSocketServer } from "ws";
import { payerOf } from "../../server/lib/payer.ts";
import { Shares } from "../../server/lib/shares.ts";
import { BAD_CREDENTIAL, takeHeaders } from "../headers.ts";
import { MAX_BODY_BYTES } from "../http.ts";
import { CLIENT_HEADER } from "../mesh/call.ts";
import { isUnavailable } from "../mesh/errors.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { refuseUpgrade } from "../upgrade.ts";
import { holdsMutation } from "./request.ts";
import { GRAPHQL_PATH } from "./runtime.ts";
import type { Live } from "./subscriptions.ts";

/** A subscriber that takes nothing for so long is dropped: longer than any hiccup of a network that still works. */
const STALLED_MS = 15_000;
/** Time for the closing words of a dropped subscriber to reach it. */
const CLOSING_MS = 2_000;
/** One that does not answer a ping within this time has gone without a word. */
const KEEP_ALIVE_MS = 15_000;
/** For a client's first message: graphql-ws's own 3 s end those of slow networks, and everybody's on a busy machine. */
const INIT_MS = 15_000;
/** Each holds a stream on the services: as many as one process serves with room to spare. Callers share them, by address. */
const MAX_SOCKETS = 1_000;
/** Subscriptions of one socket: a dashboard has tens. */
const MAX_SUBSCRIPTIONS = 100;
/** Messages of one socket under way: its subscriptions, and as many that wait for it to take their answers. */
const MAX_HANDLED = 2 * MAX_SUBSCRIPTIONS;

/** Close codes 4000 and up are the application's own. */
const CLOSE = {
  goingAway: 1001,
  /** Clients take it for a reason to connect and subscribe again; an error message would end a subscription permanently. */
  tryAgainLater: 1013,
  tooManySubscriptions: 4429,
  tooSlow: 4408,
} as const;

interface Extra {
  readonly request: IncomingMessage;
  readonly socket: WebSocket;
  /** The refusal of a mutation of this page; undefined where it may act. */
  readonly pageRefusal: string | undefined;
  /** By operation id: ends the calls behind it. */
  readonly operations: Map<string, { readonly controller: AbortController; readonly request: Request }>;
  /** Operations whose watch is not in place yet. */
  readonly starting: Map<string, { promise: Promise<void>; resolve: () => void }>;
}

export interface Sockets {
  /** @param pageRefusal the refusal for the page that asks where it may not change anything */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, pageRefusal?: string): void;
  /** Sends every client the reason, and waits until they are gone, at most `graceMs`. */
  close(reason: string, graceMs: number): Promise<void>;
}

export function graphqlSockets(runtime: GatewayRuntime, live: Live, metrics: GatewayMetrics, logger: Logger): Sockets {
  const wss = new WebSocketServer({ noServer: true, handleProtocols, maxPayload: MAX_BODY_BYTES });
  const shares = new Shares(MAX_SOCKETS);
  const server = makeServer<Record<string, unknown>, Extra>(serverOptions(runtime, live, metrics));

  wss.on("connection", (socket: WebSocket, request: IncomingMessage, pageRefusal: string | undefined) => {
    metrics.websockets.inc();
    const extra: Extra = { request, socket, pageRefusal, operations: new Map(), starting: new Map() };
    const stopPings = keepAlive(socket, metrics);
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: (data) => sendOrDrop(socket, data, metrics),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) =>
          inTurn(socket, (data) =>
            take(data).catch((error: unknown) => {
              logger.error({ err: error }, "websocket message failed");
              socket.close(1011, "Internal server error");
            }),
          ),
      },
      extra,
    );
    socket.on("error", (error) => logger.debug({ err: error }, "websocket failed"));
    socket.once("close", (code, reason) => {
      metrics.websockets.dec();
      stopPings();
      for (const { controller } of extra.operations.values()) controller.abort();
      closed(code, String(reason)).catch((error: unknown) =>
        logger.error({ err: error }, "websocket did not close cleanly"),
      );
    });
  });

  return {
    upgrade(request, socket, head, pageRefusal) {
      // Not by token: nobody has looked yet whether it is one.
      const leave = shares.enter(payerOf(request.socket.remoteAddress ?? ""));
      if (leave === undefined) {
        metrics.dropped.inc({ reason: "too_many_sockets" });
        refuseUpgrade(socket, "429 Too Many Requests", "retry-after: 5\r\n");
        return;
      }
      if (socket.destroyed) return leave();
      socket.once("close", leave);
      wss.handleUpgrade(request, socket, head, (webSocket) => wss.emit("connection", webSocket, request, pageRefusal));
    },
    async close(reason, graceMs) {
      const gone = [...wss.clients].map(
        (client) => new Promise<void>((resolve) => client.once("close", () => resolve())),
      );
      for (const client of wss.clients) client.close(CLOSE.goingAway, reason);
      const timer = setTimeout(
        () => {
          for (const client of wss.clients) client.terminate();
        },
        Math.min(graceMs, CLOSING_MS),
      );
      await Promise.all(gone);
      clearTimeout(timer);
      wss.close();
    },
  };
}

function serverOptions(
  runtime: GatewayRuntime,
  live: Live,
  metrics: GatewayMetrics,
): ServerOptions<Record<string, unknown>, Extra> {
  const base = getGraphQLWSOptions<Record<string, unknown>, Extra>(runtime as never, () => ({}) as never);
  return {
    ...(base as ServerOptions<Record<string, unknown>, Extra>),
    connectionInitWaitTimeout: INIT_MS,
    onSubscribe: (context, id, payload) => {
      const { extra } = context;
      const headers = headersOf(extra.request, context.connectionParams);
      if (takeHeaders(headers) !== undefined)
        return [new GraphQLError(BAD_CREDENTIAL, { extensions: { code: "UNAUTHENTICATED" } })];
      if (extra.pageRefusal !== undefined && holdsMutation(payload.query))
        return [new GraphQLError(extra.pageRefusal, { extensions: { code: "FORBIDDEN" } })];
      if (extra.operations.size >= MAX_SUBSCRIPTIONS) {
        metrics.dropped.inc({ reason: "too_many_subscriptions" });
        extra.socket.close(CLOSE.tooManySubscriptions, `At most ${MAX_SUBSCRIPTIONS} operations at once`);
      }
      const controller = new AbortController();
      const request = requestOf(headers);
      extra.operations.set(id, { controller, request });
      extra.starting.set(id, Promise.withResolvers<void>());
      metrics.subscriptions.inc();
      return {
        document: OPERATION,
        contextValue: { params: payload, headers, signal: controller.signal, request },
      } as never;
    },
    onOperation: ({ extra }, id) => {
      started(extra, id);
      return undefined;
    },
    onNext: ({ extra }, id, _payload, _args, result) => {
      const operation = extra.operations.get(id);
      if (operation === undefined || !live.requests.has(operation.request) || !isUnavailable(result)) return;
      metrics.dropped.inc({ reason: "interrupted" });
      extra.socket.close(CLOSE.tryAgainLater, "A subscription was interrupted; connect and subscribe again");
    },
    onError: ({ extra }, id) => ended(extra, id, metrics),
    onComplete: ({ extra }, id) => ended(extra, id, metrics),
    // A client that pings after subscribing knows by the pong that nothing posted from now on will be missed.
    onPing: async ({ extra }) => {
      await Promise.all([...extra.starting.values()].map(({ promise }) => promise));
    },
  };
}

/** graphql-ws wants a document to see whether it is a subscription; Mesh parses the real one and answers by what it is. */
const OPERATION = { kind: "Document", definitions: [{ kind: "OperationDefinition", operation: "subscription" }] };

function started(extra: Extra, id: string): void {
  extra.starting.get(id)?.resolve();
  extra.starting.delete(id);
}

function ended(extra: Extra, id: string, metrics: GatewayMetrics): undefined {
  started(extra, id);
  const operation = extra.operations.get(id);
  if (!extra.operations.delete(id)) return undefined;
  metrics.subscriptions.dec();
  // Whoever iterates its results may not know how to end what is behind them.
  operation?.controller.abort();
  return undefined;
}

/** Browsers cannot set headers on a websocket: what they would have set comes with the first message. */
function headersOf(
  { headers }: IncomingMessage,
  params: Readonly<Record<string, unknown>> | undefined,
): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (typeof value === "string") given[name] = value;
  for (const [name, value] of Object.entries(params ?? {})) {
    const lower = name.toLowerCase();
    if (typeof value === "string" && (lower === "authorization" || lower === "traceparent")) given[lower] = value;
  }
  return given;
}

function requestOf(headers: Record<string, string>): Request {
  const { authorization, traceparent, [CLIENT_HEADER]: client } = headers;
  return new Request(`http://gateway${GRAPHQL_PATH}`, {
    // The upgrade was a GET, and a GET may not carry mutations; what comes over the socket may.
    method: "POST",
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(client === undefined ? {} : { [CLIENT_HEADER]: client }),
      ...(traceparent === undefined ? {} : { traceparent }),
    },
  });
}

/** Hands over what the client sends, as fast as it takes the answers: what it does not take would fill the memory. */
function inTurn(socket: WebSocket, handle: (data: string) => Promise<void>): void {
  let handled = 0;
  socket.on("message", async (data) => {
    if (++handled >= MAX_HANDLED) socket.pause();
    await handle(String(data));
    if (--handled < MAX_HANDLED && socket.isPaused) socket.resume();
  });
}

/** Resolves when the client has taken the message from us. */
function sendOrDrop(socket: WebSocket, data: string, metrics: GatewayMetrics): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    const timer = setTimeout(() => {
      metrics.dropped.inc({ reason: "too_slow" });
      socket.close(CLOSE.tooSlow, "This subscriber took nothing for too long");
      setTimeout(() => socket.terminate(), CLOSING_MS).unref();
    }, STALLED_MS);
    // An error here is the socket's end, and that has a handler of its own.
    socket.send(data, () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** One with messages still to take cannot see a ping either: whether it is too slow is `sendOrDrop`'s to say. */
function keepAlive(socket: WebSocket, metrics: GatewayMetrics): () => void {
  let answered = true;
  socket.on("pong", () => {
    answered = true;
  });
  const timer = setInterval(() => {
    if (socket.bufferedAmount > 0) return;
    if (!answered) {
      metrics.dropped.inc({ reason: "no_pong" });
      socket.terminate();
      return;
    }
    answered = false;
    socket.ping();
  }, KEEP_ALIVE_MS);
  return () => clearInterval(timer);
}
