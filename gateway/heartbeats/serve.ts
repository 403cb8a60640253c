/** Signs of life by plain HTTP, as programs for it send them: an address, by whichever of GET, HEAD and POST. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Calls } from "../alertmanager/calls.ts";
import { type Answer, clientSignal, detail } from "../http.ts";
import type { CallContext } from "../mesh/call.ts";
import { UpstreamError } from "../mesh/errors.ts";

/** By a token of the platform in the header. */
export const HEARTBEAT_ROUTE = "/api/v1/heartbeats/{name}";
/** By the heartbeat's own token. */
export const TOKEN_ROUTE = `${HEARTBEAT_ROUTE}/{token}`;

const TAKEN: Answer = {
  status: 200,
  body: "OK",
  headers: { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" },
};
const RETRY_AFTER_MS = 1_000;

interface Given {
  readonly path: Readonly<Record<string, string>>;
}

type Handler = (request: IncomingMessage, response: ServerResponse, given: Given) => Promise<Answer>;
type Handlers = Readonly<Record<"GET" | "HEAD" | "POST", Handler>>;

export interface HeartbeatHandlers {
  readonly byCredential: Handlers;
  readonly byToken: Handlers;
}

/** @param pageRefusal for a page that may not change anything: here a GET does */
export function heartbeatHandlers(
  calls: Calls,
  pageRefusal: (request: IncomingMessage) => string | undefined,
): HeartbeatHandlers {
  const handlers = (take: (path: Given["path"], context: CallContext) => Promise<unknown>): Handlers => {
    const handle: Handler = async (request, response, { path }) => {
      const refused = pageRefusal(request);
      if (refused !== undefined) return detail(403, refused);
      const headers = request.headers as Record<string, string | undefined>;
      try {
        await take(path, { headers, signal: clientSignal(response) });
        return TAKEN;
      } catch (error) {
        if (error instanceof UpstreamError) return refusalOf(error);
        throw error;
      }
    };
    return { GET: handle, HEAD: handle, POST: handle };
  };
  return {
    byCredential: handlers(({ name = "" }, context) => calls.call("sendHeartbeat", { name }, context)),
    byToken: handlers(({ name = "", token = "" }, context) =>
      calls.call("sendHeartbeatByToken", { name, token }, context),
    ),
  };
}

function refusalOf({ httpStatus: status, message, retryAfterMs = RETRY_AFTER_MS }: UpstreamError): Answer {
  if (status === 401) return detail(401, message, { "www-authenticate": "Bearer" });
  if (status !== 429 && status !== 503) return detail(status, message);
  return detail(status, message, { "retry-after": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) });
}
