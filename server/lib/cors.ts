/** Cross-origin requests: the headers that let pages of other origins read answers, the same on every listener. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** Whether pages of an origin may call, and whether with what the browser keeps (cookies, client certificates). */
export type AllowsOrigin = (origin: string) => "no" | "yes" | "with credentials";

export interface CorsOptions {
  readonly allows: AllowsOrigin;
  /** Headers of answers that a page may read, by commas. */
  readonly exposed: string;
  /** Methods that a page may use, by commas. */
  readonly methods: string;
  /** Status and text of the answer to a preflight. */
  readonly preflight: (allowed: boolean) => { readonly status: number; readonly text: string };
}

/** Seconds for which a browser may keep a preflight's answer. */
const MAX_AGE = "600";

/** Sets the headers of an answer to a page; answers a preflight and says so by true. Without an Origin nothing happens. */
export function answerOrigin(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  { allows, exposed, methods, preflight }: CorsOptions,
): boolean {
  const { origin } = request.headers;
  if (typeof origin !== "string") return false;
  const verdict = allows(origin);
  const allowed = verdict !== "no";
  response.setHeader("vary", "Origin");
  if (allowed) {
    // By name, never "*": with credentials a browser refuses the star.
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", exposed);
    if (verdict === "with credentials") response.setHeader("access-control-allow-credentials", "true");
  }
  if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
  response.setHeader("access-control-allow-methods", methods);
  response.setHeader("access-control-max-age", MAX_AGE);
  const asked = request.headers["access-control-request-headers"];
  if (asked !== undefined) response.setHeader("access-control-allow-headers", asked);
  const { status, text } = preflight(allowed);
  response.statusCode = status;
  if (text !== "") response.setHeader("content-type", "text/plain; charset=utf-8");
  // Both kinds of response have this signature; TypeScript cannot see it through their overloads.
  (response as ServerResponse).end(text);
  return true;
}
