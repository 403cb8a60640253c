/** Lets pages of other origins call by REST and GraphQL. */
import type { AllowsOrigin, CorsOptions } from "../server/lib/cors.ts";

/**
 * @param allowed origins such as https://example.com, or "*" for all
 * @param auth whether callers have to say who they are: then "*" lets pages read, but never with what the browser keeps
 */
export function gatewayCors(allowed: readonly string[], auth: boolean): CorsOptions {
  const origins = new Set(allowed);
  const allows: AllowsOrigin = (origin) => {
    if (origins.has(origin)) return "with credentials";
    if (!origins.has("*")) return "no";
    return auth ? "yes" : "with credentials";
  };
  return {
    allows,
    // What a page may read of an answer beside its body: how to name the call, and when to come again.
    exposed: "x-request-id, retry-after",
    methods: "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
    preflight: (given) => (given ? { status: 200, text: "OK" } : { status: 400, text: "Disallowed CORS origin" }),
  };
}
