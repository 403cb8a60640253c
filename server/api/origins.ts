/** Lets pages of other origins call by Connect and gRPC-Web. */
import { cors } from "@connectrpc/connect";
import type { AllowsOrigin, CorsOptions } from "../lib/cors.ts";

/** @param methods that pages may use beside those of Connect */
export function connectCors(allows: AllowsOrigin, methods: readonly string[]): CorsOptions {
  return {
    allows,
    // Of Connect itself, and what the HTTP listener exposes too.
    exposed: [...cors.exposedHeaders, "x-request-id", "retry-after"].join(", "),
    methods: [...new Set([...cors.allowedMethods, ...methods])].join(", "),
    preflight: (allowed) => ({ status: allowed ? 204 : 403, text: "" }),
  };
}
