import { Code, ConnectError, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { Session } from "./session.ts";
import type { DeviceClientOptions } from "./types.ts";

export interface Connection {
  readonly transport: Transport;
  close(): void;
}

/** gRPC over one HTTP/2 connection, cleartext or TLS by the scheme of the address. */
export function connect({ url, tls, token }: Pick<DeviceClientOptions, "url" | "tls" | "token">): Connection {
  if (!/^https?:\/\/[^/]+\/?$/.test(url)) {
    throw new TypeError(`The address is "${url}", but must be like http://127.0.0.1:50051 or https://host:port.`);
  }
  const sessionManager = new Session(url, tls);
  const transport = createGrpcTransport({ baseUrl: url, sessionManager, interceptors: token ? [bearer(token)] : [] });
  return { transport, close: () => sessionManager.close() };
}

function bearer(token: NonNullable<DeviceClientOptions["token"]>): Interceptor {
  return (next) => async (request) => {
    const given = (typeof token === "function" ? await token() : token).trim();
    // Never the value itself: whatever takes headers would quote it in its error.
    if (!/^[\x21-\x7e]*$/.test(given))
      throw new ConnectError("The token holds a character that no token has", Code.Unauthenticated);
    // A function may have none.
    if (given !== "") request.header.set("authorization", `Bearer ${given}`);
    return next(request);
  };
}
