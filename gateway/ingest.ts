/** Paths of ingest protocols on this listener: whatever comes by them is answered by the services' own listener. */
import { Agent, type IncomingMessage, request as open, type RequestOptions, type ServerResponse } from "node:http";
import { detail, send } from "./http.ts";

export interface IngestPaths {
  readonly paths: readonly { readonly path: string; readonly method: string }[];
  /** Answers a request of one of the paths. */
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Of one connection, which ends with it (RFC 9110, 7.6.1), and the name of this server. */
const OF_THIS_CONNECTION = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"],
  ...["transfer-encoding", "upgrade", "host", "expect"],
]);

/** Idle connections to the services that are kept. */
const MAX_IDLE = 16;

/** Passes requests on as they come, body and answer in a stream, to the services of another process. */
export function passOn(grpcUrl: string): IngestPaths["serve"] {
  const agent = new Agent({ keepAlive: true, maxFreeSockets: MAX_IDLE });
  const { hostname, port } = new URL(grpcUrl);
  return (request, response) => {
    const { method, url: path } = request;
    const headers = { ...withoutOwn(request.headers), ...framing(request) };
    const target: RequestOptions = { agent, hostname: hostname.replace(/^\[|\]$/g, ""), port, method, path, headers };
    const upstream = open(target);
    upstream.once("response", (answer) => {
      // Whoever answers before the body is whole has no use for the rest of it.
      if (!request.complete) {
        request.unpipe(upstream);
        request.resume();
      }
      response.writeHead(answer.statusCode ?? 502, withoutOwn(answer.headers));
      answer.pipe(response);
      answer.once("error", () => response.destroy());
    });
    upstream.once("error", () => {
      request.unpipe(upstream);
      request.resume();
      if (!response.headersSent && !response.destroyed) void send(response, UNAVAILABLE);
      else response.destroy();
    });
    response.once("close", () => {
      if (!response.writableFinished) upstream.destroy();
    });
    request.once("error", () => upstream.destroy());
    request.pipe(upstream);
  };
}

const UNAVAILABLE = detail(503, "The services do not answer now: send it again later", { "retry-after": "1" });

type Headers = IncomingMessage["headers"];

function withoutOwn(headers: Headers): Headers {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_THIS_CONNECTION.has(name)));
}

/** A body without a length goes on in chunks. */
function framing({ headers }: IncomingMessage): Headers {
  return headers["content-length"] === undefined ? { "transfer-encoding": "chunked" } : {};
}
