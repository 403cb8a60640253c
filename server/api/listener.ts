import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { spareLong } from "../lib/long-requests.ts";
import type { TlsFiles } from "../security/tls.ts";
import { Floods } from "./floods.ts";
import type { RpcLimits } from "./limits.ts";
import type { RequestListener } from "./node-http.ts";

export interface Listener {
  readonly port: number;
  /** Takes no more calls, lets those under way end for at most this long, then cuts them off. */
  close(graceMs: number): Promise<void>;
}

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: RpcLimits;
  readonly onRequest: RequestListener;
  /** Certificates; absent: clear text. */
  readonly tls?: TlsFiles | undefined;
  /** Called whenever the number of connections changes. */
  readonly onConnections: (count: number) => void;
}

const sweepMs = 50;

/**
 * HTTP/1.1 and HTTP/2 on one port. In clear text every HTTP/2 connection begins with "PRI", which no HTTP/1.1 request does; in
 * TLS the two sides have agreed on one. Rejects with the system's error when the port cannot be had.
 */
export async function listen(options: ListenerOptions): Promise<Listener> {
  const { host, port, limits, onRequest, onConnections, tls: files } = options;
  const http1 = createHttp1(limits, onRequest);
  const h2 = createHttp2(limits, onRequest);
  const floods = new Floods(limits.floodPauseMs);
  const sockets = new Set<net.Socket>();
  const sessions = new Set<http2.ServerHttp2Session>();
  h2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    watchOver(session, limits);
    countResets(session, limits, floods);
  });

  // Connections that have not begun a call; of TLS they are not known, for its sockets are others than those that are tracked.
  const silent = new Set<net.Socket>();
  const admit = (isHttp2: boolean, socket: net.Socket) => {
    silent.delete(socket);
    (isHttp2 ? h2 : http1).emit("connection", socket);
  };
  const hand = (isHttp2: boolean, socket: net.Socket) => {
    const waitMs = floods.waitMs(socket.remoteAddress ?? "");
    if (waitMs === 0) admit(isHttp2, socket);
    else afterPause(socket, waitMs, () => admit(isHttp2, socket));
  };
  const track = (socket: net.Socket) => {
    sockets.add(socket);
    if (files === undefined) silent.add(socket);
    onConnections(sockets.size);
    socket.once("close", () => {
      sockets.delete(socket);
      silent.delete(socket);
      onConnections(sockets.size);
    });
  };
  const listener = files === undefined ? openClear(limits, hand) : openTls(limits, files, hand);
  listener.on("connection", track);
  listener.maxConnections = limits.maxConnections;
  listener.listen(port, host);
  await once(listener, "listening");

  return {
    port: (listener.address() as net.AddressInfo).port,
    async close(graceMs) {
      const closed = once(listener, "close");
      listener.close();
      for (const session of sessions) session.close();
      for (const socket of silent) socket.destroy();
      // A connection of HTTP/1.1 is kept alive after its call: each has to be caught when it is idle.
      const sweep = setInterval(() => http1.closeIdleConnections(), sweepMs);
      http1.closeIdleConnections();
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, graceMs);
      await closed;
      clearTimeout(cut);
      clearInterval(sweep);
      http1.close();
      h2.close();
    },
  };
}

type Hand = (isHttp2: boolean, socket: net.Socket) => void;

function openClear({ prefaceTimeoutMs }: RpcLimits, hand: Hand): net.Server {
  return net.createServer({ noDelay: true }, (socket) => dispatch(socket, prefaceTimeoutMs, hand));
}

function openTls({ prefaceTimeoutMs }: RpcLimits, files: TlsFiles, hand: Hand): net.Server {
  const listener = tls.createServer({
    ...files.current,
    ALPNProtocols: ["h2", "http/1.1"],
    requestCert: files.requestCert,
    rejectUnauthorized: files.rejectUnauthorized,
    handshakeTimeout: prefaceTimeoutMs,
    noDelay: true,
  });
  listener.on("secureConnection", (socket) => hand(socket.alpnProtocol === "h2", socket));
  // A handshake that fails is the peer's affair; the socket is closed already or has to be.
  listener.on("tlsClientError", (_, socket) => socket.destroy());
  files.onChange = (options) => listener.setSecureContext(options);
  return listener;
}

/** Reads just enough to tell the protocols apart and puts it back. */
function dispatch(socket: net.Socket, timeoutMs: number, hand: Hand): void {
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const onError = () => socket.destroy(); // reset by the peer: nobody to tell
  socket.on("error", onError);
  socket.once("close", () => clearTimeout(timer));
  let head: Buffer = Buffer.alloc(0);
  const onReadable = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return; // the end: "close" follows
    head = Buffer.concat([head, chunk]);
    // POST, PUT and PATCH share the first letter with the preface: three bytes decide.
    if (head[0] === preface[0] && head.length < preface.length) return;
    clearTimeout(timer);
    socket.off("readable", onReadable);
    socket.off("error", onError);
    socket.unshift(head); // only now: what is put back counts as newly readable
    hand(head.subarray(0, preface.length).equals(preface), socket);
  };
  socket.on("readable", onReadable);
}

const preface = Buffer.from("PRI");

function createHttp1(limits: RpcLimits, onRequest: RequestListener): http.Server {
  const server = http.createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      // Headers are part of the request: Node refuses a longer time for them.
      headersTimeout: Math.min(limits.prefaceTimeoutMs, limits.requestTimeoutMs),
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.idleTimeoutMs,
      connectionsCheckingInterval: Math.min(limits.prefaceTimeoutMs, 5_000),
    },
    onRequest,
  );
  spareLong(server);
  // Node starts the check of those times when a server begins to listen, and this one never listens itself.
  server.emit("listening");
  return server;
}

function createHttp2(limits: RpcLimits, onRequest: RequestListener): http2.Http2Server {
  const server = http2.createServer({
    maxSessionMemory: limits.maxSessionMemoryMB,
    streamResetBurst: limits.streamResetBurst,
    streamResetRate: limits.streamResetsPerSecond,
    settings: {
      maxConcurrentStreams: limits.maxConcurrentStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
      initialWindowSize: limits.streamWindowBytes,
      enablePush: false,
    },
  });
  // Once what came with the headers is read: a call that is cancelled in the same breath costs nothing more.
  server.on("request", (request, response) =>
    setImmediate(() => {
      if (!request.stream.destroyed) onRequest(request, response);
    }),
  );
  // Errors of one session end that session; without a listener they would end the process.
  server.on("sessionError", (_, session) => session.destroy());
  return server;
}

/** Goes on with the socket after a pause, unless its peer is gone by then. */
function afterPause(socket: net.Socket, ms: number, go: () => void): void {
  const onError = () => socket.destroy(); // reset by the peer: nobody to tell
  const timer = setTimeout(() => {
    socket.off("close", onClose);
    socket.off("error", onError);
    go();
  }, ms);
  const onClose = () => clearTimeout(timer);
  socket.once("close", onClose);
  socket.on("error", onError);
}

/** Notes the peer of a session that cancels more calls than it may: nghttp2 ends the session by the same count. */
function countResets(session: http2.ServerHttp2Session, limits: RpcLimits, floods: Floods): void {
  const { streamResetBurst: burst, streamResetsPerSecond: perSecond } = limits;
  const { remoteAddress = "" } = session.socket;
  let left = burst;
  let at = performance.now();
  session.on("stream", (stream) => {
    stream.once("close", () => {
      if (stream.rstCode !== http2.constants.NGHTTP2_CANCEL) return;
      const now = performance.now();
      left = Math.min(burst, left + ((now - at) / 1000) * perSecond) - 1;
      at = now;
      if (left < 0) floods.note(remoteAddress);
    });
  });
}

/** Widens the session's window, closes it when idle, and ends it when the peer gives no sign of life. */
function watchOver(session: http2.ServerHttp2Session, limits: RpcLimits): void {
  session.once("connect", () => session.setLocalWindowSize(limits.connectionWindowBytes));
  let streams = 0;
  let idleSince = performance.now();
  session.on("stream", (stream) => {
    streams++;
    stream.once("close", () => {
      streams--;
      idleSince = performance.now();
    });
  });
  let answered = true;
  const timer = setInterval(() => {
    if (session.destroyed) return; // its "close" is still to come
    if (!answered) return session.destroy();
    if (streams === 0 && performance.now() - idleSince >= limits.idleTimeoutMs) return session.close();
    answered = false;
    session.ping(() => {
      answered = true;
    });
  }, limits.pingIntervalMs);
  timer.unref();
  session.once("close", () => clearInterval(timer));
}
