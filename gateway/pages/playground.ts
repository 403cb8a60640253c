/** GraphiQL for people who open the GraphQL path in a browser. All of it comes from this installation. */
import type { IncomingMessage } from "node:http";
import { GRAPHQL_PATH } from "../graphql/runtime.ts";
import type { Answer } from "../http.ts";

const FIRST_QUERY = `# The newest readings, and alerts that are still open.
{
  sensorData(limit: 10) { id sensorId timestamp value unit isAnomaly anomalyScore }
  anomalyAlerts(resolved: false) { id sensorId severity message timestamp }
}
`;

export function wantsPlayground({ method, headers, url }: IncomingMessage): boolean {
  return method === "GET" && (headers.accept ?? "").includes("text/html") && !/[?&]query=/.test(url ?? "");
}

let page: Promise<string> | undefined;

export async function playground(): Promise<Answer> {
  // Nine megabytes of editor: read when the first person asks for it.
  page ??= import("@graphql-yoga/render-graphiql").then(({ renderGraphiQL }) =>
    renderGraphiQL({
      title: "GraphQL",
      endpoint: GRAPHQL_PATH,
      defaultQuery: FIRST_QUERY,
      subscriptionsProtocol: "GRAPHQL_WS" as never,
    }),
  );
  return { status: 200, body: await page, headers: { "content-type": "text/html; charset=utf-8" } };
}
