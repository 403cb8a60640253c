/** Lets pages of other origins call by Connect and gRPC-Web. Without credentials: a page sends its token in a header. */
import { cors } from "@connectrpc/connect";
import type { NodeServerRequest, NodeServerResponse } from "./adapter.ts";

/** Seconds for which a browser may keep a preflight's answer. */
const MAX_AGE = "600";

export type AllowsOrigin = (origin: string) => boolean;

/** Sets the headers of an answer to a page; answers a preflight and says so by true. */
export function answerOrigin(request: NodeServerRequest, response: NodeServerResponse, allows: AllowsOrigin): boolean {
  const { origin } = request.headers;
  if (typeof origin !== "string") return false;
  const allowed = allows(origin);
  response.setHeader("vary", "Origin");
  if (allowed) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", cors.exposedHeaders.join(", "));
  }
  if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
  response.setHeader("access-control-allow-methods", cors.allowedMethods.join(", "));
  response.setHeader("access-control-max-age", MAX_AGE);
  const asked = request.headers["access-control-request-headers"];
  if (asked !== undefined) response.setHeader("access-control-allow-headers", asked);
  response.statusCode = allowed ? 204 : 403;
  response.end();
  return true;
}
