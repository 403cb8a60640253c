import http2, { type ClientHttp2Session, type ClientHttp2Stream, type SecureClientSessionOptions } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";

type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;

/** A connection that died without a word is noticed within the sum of these. */
const PING_EVERY_MS = 10_000;
const PING_ANSWER_MS = 5_000;
const CONNECT_MS = 10_000;

/** Node's codes of a failure by which the other side shows that it speaks something else. */
const NO_HTTP2 = /^ERR_HTTP2_ERROR$/;
const NO_TLS = /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/;
const HTTP2_HINT =
  "give the gRPC port (GRPC_PORT, 50051 by default), not that of REST (PORT, 8000 by default), and https:// where it has TLS";
const TLS_HINT = "give the gRPC port (GRPC_PORT, 50051 by default), and http:// where it has no TLS";

/**
 * The one HTTP/2 connection of a client, recreated when it is gone. The library's own manager pings connections that were
 * destroyed while they shut down, which throws where nobody can catch it and ends the device's process.
 */
export class Session implements SessionManager {
  readonly authority: string;
  readonly #tls: SecureClientSessionOptions;
  #current: Promise<ClientHttp2Session> | undefined;
  #opened: ClientHttp2Session | undefined;

  constructor(url: string, tls: SecureClientSessionOptions = {}) {
    this.authority = new URL(url).origin;
    this.#tls = tls;
  }

  async request(
    method: string,
    path: string,
    headers: http2.OutgoingHttpHeaders,
    options: Omit<http2.ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    const session = await this.#usable();
    return session.request({ ...headers, ":method": method, ":path": path }, options);
  }

  notifyResponseByteRead(): void {}

  /** Ends the connection with what is under way on it. */
  close(): void {
    this.#opened?.destroy();
  }

  async #usable(): Promise<ClientHttp2Session> {
    const known = this.#current;
    if (known) {
      const session = await known.catch(() => undefined); // whoever opened it has heard
      if (session && !session.closed && !session.destroyed) return session;
      if (this.#current !== known) return this.#usable(); // another call was faster
    }
    this.#current = this.#open();
    return this.#current;
  }

  /** A failure of a server that speaks something else says what it may be. */
  #named(failure: unknown): unknown {
    const { code = "" } = failure as NodeJS.ErrnoException;
    const what = NO_HTTP2.test(code) ? "does not speak gRPC" : NO_TLS.test(code) ? "does not speak TLS" : undefined;
    if (what === undefined) return failure;
    const hint = NO_HTTP2.test(code) ? HTTP2_HINT : TLS_HINT;
    return new ConnectError(`${this.authority} ${what}: ${hint}`, Code.Unavailable, undefined, undefined, failure);
  }

  #open(): Promise<ClientHttp2Session> {
    const session = http2.connect(this.authority, this.#tls);
    this.#opened = session;
    return new Promise((resolve, reject) => {
      // What a server with TLS does to one without.
      const hint = this.authority.startsWith("http:") ? "; a server with TLS wants https://" : "";
      let failure: unknown = new ConnectError(`the connection was closed before an answer${hint}`, Code.Unavailable);
      const late = new ConnectError("the server does not answer", Code.Unavailable);
      const timer = setTimeout(() => session.destroy(late), CONNECT_MS);
      session.on("error", (error) => {
        failure = error; // once it stands, its streams tell of it
      });
      session.once("close", () => {
        clearTimeout(timer);
        reject(this.#named(failure));
      });
      // The first word of the other side: until then it may be a server of anything.
      session.once("remoteSettings", () => {
        clearTimeout(timer);
        keepAlive(session);
        resolve(session);
      });
    });
  }
}

function keepAlive(session: ClientHttp2Session): void {
  let answer: NodeJS.Timeout | undefined;
  const ping = setInterval(() => {
    if (session.destroyed) return;
    const dead = new ConnectError("the connection is dead", Code.Unavailable);
    answer ??= setTimeout(() => session.destroy(dead), PING_ANSWER_MS);
    session.ping(() => {
      clearTimeout(answer);
      answer = undefined;
    });
  }, PING_EVERY_MS);
  session.once("close", () => {
    clearInterval(ping);
    clearTimeout(answer);
  });
}
