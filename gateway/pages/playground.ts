/** GraphiQL for people who open the GraphQL path in a browser. All of it comes from this installation. */
import type { IncomingMessage } from "node:http";
import { keep } from "../compress.ts";
import { GRAPHQL_PATH } from "../graphql/runtime.ts";
import type { Answer } from "../http.ts";

const FIRST_QUERY = `# Newest readings; open alerts
{
  sensorData(limit: 10) {
    sensorId timestamp value unit
    isAnomaly anomalyScore
  }
  anomalyAlerts(resolved: false) {
    id sensorId severity
    message timestamp
  }
}
`;

/** The library's page has no viewport and sets its panes side by side: on a phone the answer would be one letter wide. */
const HEAD = `<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
@media (max-width: 760px) {
  .graphiql-sessions > :has(> .graphiql-editors) { flex-direction: column !important; }
  .graphiql-sessions > :has(> .graphiql-editors) > .graphiql-editors,
  .graphiql-sessions > :has(> .graphiql-editors) > .graphiql-response { flex: 1 1 50% !important; min-height: 0; min-width: 0; }
  .graphiql-sessions > :has(> .graphiql-editors) > .graphiql-horizontal-drag-bar { display: none; }
  .graphiql-container .graphiql-logo { display: none; }
  .graphiql-container .graphiql-sidebar { width: 44px; min-width: 44px; }
}
</style>`;
/** Nothing from elsewhere, whatever the editor would like to load. Its workers and its styles are inline. */
const POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "font-src 'self' data:; worker-src 'self' blob: data:; connect-src 'self' ws: wss:";

export function wantsPlayground({ method, headers, url }: IncomingMessage): boolean {
  return method === "GET" && (headers.accept ?? "").includes("text/html") && !/[?&]query=/.test(url ?? "");
}

let page: Promise<Buffer> | undefined;

export async function playground(): Promise<Answer> {
  // Nine megabytes of editor: read when the first person asks for it.
  page ??= import("@graphql-yoga/render-graphiql").then(({ renderGraphiQL }) =>
    keep(
      Buffer.from(
        renderGraphiQL({
          title: "GraphQL",
          endpoint: GRAPHQL_PATH,
          defaultQuery: FIRST_QUERY,
          subscriptionsProtocol: "GRAPHQL_WS" as never,
        }).replace("<head>", () => `<head>${HEAD}`),
      ),
    ),
  );
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": POLICY };
  return { status: 200, body: await page, headers };
}
