/** A receiver of webhooks on the loopback: a real server that keeps what it is sent and answers as it is told. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";

export interface Posted {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they came, one after the other. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface WebhookSink {
  readonly url: string;
  readonly port: number;
  readonly posted: readonly Posted[];
  /** The first that fits, as soon as it is there. */
  find(fits: (posted: Posted) => boolean): Promise<Posted>;
  /** How it answers from now on; 200 at first. */
  answer(by: (response: ServerResponse, posted: Posted) => void): void;
  /** Those that are open. */
  readonly connections: number;
  close(): Promise<void>;
}

/** @param tls the certificate of a server that speaks HTTPS */
export async function startWebhookSink(tls?: { readonly cert: Buffer; readonly key: Buffer }): Promise<WebhookSink> {
  const posted: Posted[] = [];
  let arrived = Promise.withResolvers<void>();
  let answering = (response: ServerResponse, _posted: Posted): void => void response.end("ok");
  const server = tls === undefined ? createServer() : createTlsServer({ cert: tls.cert, key: tls.key });
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.on("close", () => connections.delete(socket));
  });
  server.on("request", async (request, response) => {
    try {
      const body = Buffer.concat(await request.toArray());
      const { method = "", url = "", headers, rawHeaders } = request;
      posted.push({ method, path: url, headers, rawHeaders, body });
      arrived.resolve();
      arrived = Promise.withResolvers();
      answering(response, posted.at(-1)!);
    } catch {
      response.destroy(); // the sender went away: it has no use for an answer
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    posted,
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    async find(fits) {
      for (;;) {
        const found = posted.find(fits);
        if (found !== undefined) return found;
        await arrived.promise;
      }
    },
    answer: (by) => {
      answering = by;
    },
    get connections() {
      return connections.size;
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
