/** Which pages of other origins may call. Requests without an Origin are no business of CORS. */
import type { IncomingMessage, ServerResponse } from "node:http";

const METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT";
/** Seconds for which a browser may keep a preflight's answer. */
const MAX_AGE = "600";

export class Cors {
  readonly #any: boolean;
  readonly #origins: ReadonlySet<string>;
  readonly #auth: boolean;

  /**
   * @param allowed origins such as https://example.com, or "*" for all
   * @param auth whether callers have to say who they are: then "*" lets pages read, but never with what the browser keeps
   */
  constructor(allowed: readonly string[], auth = false) {
    this.#auth = auth;
    this.#any = allowed.includes("*");
    this.#origins = new Set(allowed);
  }

  allows(origin: string): boolean {
    return this.#any || this.#origins.has(origin);
  }

  /** Sets the headers of an answer; answers a preflight and says so by true. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers;
    if (origin === undefined) return false;
    const allowed = this.allows(origin);
    response.appendHeader("vary", "Origin");
    if (allowed) {
      // By name, never "*": with credentials a browser refuses the star.
      response.setHeader("access-control-allow-origin", origin);
      if (!this.#auth || this.#origins.has(origin)) response.setHeader("access-control-allow-credentials", "true");
    }
    if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] === undefined) return false;
    response.setHeader("access-control-allow-methods", METHODS);
    response.setHeader("access-control-max-age", MAX_AGE);
    const asked = request.headers["access-control-request-headers"];
    if (asked !== undefined) response.setHeader("access-control-allow-headers", asked);
    response.setHeader("content-type", "text/plain; charset=utf-8");
    response.statusCode = allowed ? 200 : 400;
    response.end(allowed ? "OK" : "Disallowed CORS origin");
    return true;
  }
}
