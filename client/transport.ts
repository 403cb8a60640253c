import type { Interceptor, Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { DeviceClientOptions } from "./types.ts";

/** A connection that died without a word is noticed within the sum of these. */
const PING_EVERY_MS = 10_000;
const PING_ANSWER_MS = 5_000;

export interface Connection {
  readonly transport: Transport;
  close(): void;
}

/** gRPC over one HTTP/2 connection, cleartext or TLS by the scheme of the address. */
export function connect({ url, tls, token }: Pick<DeviceClientOptions, "url" | "tls" | "token">): Connection {
  if (!/^https?:\/\/[^/]+\/?$/.test(url)) {
    throw new TypeError(`The address is "${url}", but must be like http://127.0.0.1:50051 or https://host:port.`);
  }
  const pings = { pingIntervalMs: PING_EVERY_MS, pingTimeoutMs: PING_ANSWER_MS, pingIdleConnection: true };
  const sessionManager = new Http2SessionManager(url, pings, tls);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager, interceptors: token ? [bearer(token)] : [] });
  return { transport, close: () => sessionManager.abort() };
}

function bearer(token: NonNullable<DeviceClientOptions["token"]>): Interceptor {
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${typeof token === "function" ? await token() : token}`);
    return next(request);
  };
}
