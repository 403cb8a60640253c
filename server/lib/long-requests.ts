/** Requests over HTTP/1.1 whose body takes as long as it takes, beside Node's one limit for all requests of a server. */
import type { IncomingMessage, Server } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { Duplex } from "node:stream";

type Request = IncomingMessage | Http2ServerRequest;

/** So long a body is read on that nobody wants any more: a connection that is cut at once loses the answer. */
const READ_OFF_MS = 10_000;

/** Connections with such requests under way, and how many: the next may have begun before the one before is over. */
const LONG = new WeakMap<object, number>();

/** Takes the server's `requestTimeout` off this request. Whoever reads it has to see to it that it comes on. */
export function allowLong(request: Request): void {
  const { socket } = request;
  const count = (change: number) => LONG.set(socket, (LONG.get(socket) ?? 0) + change);
  count(1);
  request.once("close", () => count(-1));
}

/** Makes the server keep to `allowLong`. */
export function spareLong(server: Server): void {
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && (LONG.get(socket) ?? 0) > 0) return;
    // What Node does where nobody listens.
    const { _httpMessage: answer } = socket as { _httpMessage?: { headersSent: boolean } | null };
    if (socket.writable && answer?.headersSent !== true) {
      const status = STATUS[error.code ?? ""] ?? "400 Bad Request";
      socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
    }
    socket.destroy(error);
  });
}

const STATUS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "431 Request Header Fields Too Large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "413 Payload Too Large",
  ERR_HTTP_REQUEST_TIMEOUT: "408 Request Timeout",
};

/** Reads what is left of a request that is answered, and forgets it; ends one that goes on for long. */
export function readOff(request: Request): void {
  if (request.readableEnded || request.destroyed) return;
  request.resume();
  const timer = setTimeout(() => request.destroy(), READ_OFF_MS);
  const stop = () => clearTimeout(timer);
  request.once("end", stop);
  request.once("close", stop);
}
