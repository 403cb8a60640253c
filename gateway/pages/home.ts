/** What a person who opens the address in a browser finds: where things are. It loads nothing. */
import type { IncomingMessage } from "node:http";
import { GRAPHQL_PATH } from "../graphql/runtime.ts";
import { type Answer, NOT_FOUND } from "../http.ts";
import { TITLE } from "../rest/openapi.ts";
import { INGEST_DOCUMENT_PATH } from "../rest/openapi-ingest.ts";

const LINKS: readonly (readonly [path: string, what: string])[] = [
  ["/docs", "REST: its paths, to try out"],
  ["/redoc", "REST: the same to read"],
  ["/openapi.json", "REST: the OpenAPI document"],
  [INGEST_DOCUMENT_PATH, "Ingest protocols and files: the OpenAPI document"],
  [GRAPHQL_PATH, "GraphQL: a playground, subscriptions too"],
  ["/api/v1/monitoring/health", "Health of each part"],
  ["/api/v1/monitoring/sensors/status", "Sensors and their newest values"],
  ["/api/v1/monitoring/metrics", "Metrics for Prometheus"],
];

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${TITLE}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem; }
dt { font-weight: 600; overflow-wrap: anywhere; } dd { margin: 0 0 .75rem; }</style></head>
<body><h1>Telltale</h1>
<p>${TITLE}. Devices send readings by gRPC; people and programs ask here.</p>
<dl>${LINKS.map(([path, what]) => `<dt><a href="${path}">${path}</a></dt><dd>${what}</dd>`).join("\n")}</dl>
</body></html>
`;

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
};

/** Programs find nothing here, as ever. */
export async function home({ headers }: IncomingMessage): Promise<Answer> {
  if (!(headers.accept ?? "").includes("text/html")) return NOT_FOUND;
  return { status: 200, body: PAGE, headers: HEADERS };
}
