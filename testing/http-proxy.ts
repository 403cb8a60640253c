/** A proxy on the loopback, as companies have one: for plain HTTP by whole addresses, for HTTPS by CONNECT; with a password where one is given. */
import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";

export interface HttpProxy {
  readonly port: number;
  /** What it was asked for, such as `CONNECT a.example:443` or `POST http://a.example/x`. */
  readonly asked: readonly string[];
  /** Of each. */
  readonly headers: readonly IncomingMessage["headers"][];
  /** Connections that it has opened for clients, and that are open. */
  readonly tunnels: number;
  close(): Promise<void>;
}

interface Options {
  /** `user:password`; absent: anybody may use it. */
  readonly credentials?: string;
  /** The certificate of one that speaks TLS itself. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
  /** The status line's end for each CONNECT, such as `404 Not Found`: it opens no connection. */
  readonly refusal?: string;
  /** Where a name leads: the proxy's own names. */
  readonly names?: Readonly<Record<string, string>>;
}

export async function startHttpProxy({ credentials, tls, refusal, names = {} }: Options = {}): Promise<HttpProxy> {
  const asked: string[] = [];
  const headers: IncomingMessage["headers"][] = [];
  const sockets = new Set<Socket>();
  const tunnels = new Set<Socket>();
  const server = tls === undefined ? createServer() : createTlsServer(tls);
  const isKnown = (request: IncomingMessage): boolean => {
    asked.push(`${request.method} ${request.url}`);
    headers.push(request.headers);
    const wanted = credentials && `Basic ${Buffer.from(credentials).toString("base64")}`;
    return wanted === undefined || request.headers["proxy-authorization"] === wanted;
  };
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy()); // the far end may vanish
  };
  server.on("connection", keep);
  server.on("request", (incoming, response) => {
    if (!isKnown(incoming)) return void response.writeHead(407).end("who are you?");
    const { hostname, port, pathname, search } = new URL(incoming.url ?? "");
    const { "proxy-authorization": _, ...passed } = incoming.headers;
    const onward = request(
      { host: names[hostname] ?? hostname, port, path: pathname + search, method: incoming.method, headers: passed },
      (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on("error", () => response.writeHead(502).end());
    incoming.pipe(onward);
  });
  server.on("connect", (incoming: IncomingMessage, client: Socket, head: Buffer) => {
    if (!isKnown(incoming)) return void client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    if (refusal !== undefined) return void client.end(`HTTP/1.1 ${refusal}\r\n\r\n`);
    const { hostname, port } = new URL(`tcp://${incoming.url}`);
    const onward = connect({ host: names[hostname] ?? hostname, port: Number(port) });
    keep(onward);
    tunnels.add(onward);
    onward.on("close", () => tunnels.delete(onward));
    // A client that goes away may do so before its tunnel is there, and one that is cut has no end that a pipe would hand on.
    client.on("close", () => onward.destroy());
    onward.on("error", () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    onward.on("connect", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.write(head);
      onward.pipe(client).pipe(onward);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    headers,
    get tunnels() {
      return tunnels.size;
    },
    close: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}
