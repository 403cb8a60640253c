/**
 * SOFA over the snake_case supergraph: every field of it answers at the path that routes.ts gives it. What comes in here has been
 * checked; what fails here failed in a service.
 */
import { GraphQLError } from "graphql";
import { useSofa } from "sofa-api";
import type { CallContext } from "../mesh/call.ts";
import { passedOn } from "../mesh/call.ts";
import { UpstreamError } from "../mesh/errors.ts";
import type { RunUnary } from "../mesh/run.ts";
import { executableSupergraph } from "../mesh/serve.ts";
import { RowRefusal } from "../mesh/tables.ts";
import { restFacade } from "./names.ts";
import { type Route, routes } from "./routes.ts";

export interface SofaWay {
  of(route: Route): RunUnary;
  /** The document that SOFA makes of the schema: response shapes and descriptions. */
  readonly document: () => Promise<unknown>;
  close(): Promise<void>;
}

/** Only a name: the request never leaves the process. */
const ORIGIN = "http://gateway";

/** @param address host:port of the services, without a scheme */
export async function sofaWay(address: string): Promise<SofaWay> {
  const { schema, close } = await executableSupergraph("supergraph.rest.graphql", restFacade, address);
  // By request: SOFA answers with a Response, and an error has more to say than fits one.
  const failures = new WeakMap<object, readonly unknown[]>();
  const router = useSofa({
    basePath: "/",
    schema,
    swaggerUI: { endpoint: false },
    openAPI: { endpoint: "/openapi.json" },
    customScalars: {
      DateTime: { type: "string", format: "date-time" },
      SafeInt: { type: "integer", format: "int64", maximum: Number.MAX_SAFE_INTEGER },
      JSON: { type: "object" },
    },
    routes: Object.fromEntries(routes.map((route) => [`${route.row.root}.${route.name}`, sofaRoute(route)])),
    context: ({ request }) => ({ headers: Object.fromEntries(request.headers), signal: request.signal }),
    errorHandler: (errors) => {
      const response = new Response(null, { status: 500 });
      failures.set(response, errors);
      return response as never;
    },
  });
  const fetch = async (url: string, init: RequestInit): Promise<unknown> => {
    const response = await router.fetch(url, init as never);
    const errors = failures.get(response);
    if (errors !== undefined) throw causeOf(errors);
    if (!response.ok) throw new Error(`SOFA has no route for ${init.method} ${url}: run npm run generate:gateway.`);
    return response.json();
  };
  return {
    of: (route) => (args, context) => fetch(`${ORIGIN}${urlOf(route, args)}`, initOf(route, args, context)),
    document: () => fetch(`${ORIGIN}/openapi.json`, { method: "GET" }),
    close,
  };
}

/** What SOFA needs to know of a route. */
function sofaRoute({ method, path, tag, summary }: Route) {
  return { method, path: path.replace(/\{(\w+)\}/g, ":$1"), responseStatus: 200, tags: [tag], description: summary };
}

function urlOf(route: Route, args: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  let path = route.path;
  for (const { name, where } of route.parameters) {
    const value = args[name];
    if (value === undefined || where === "body") continue;
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(String(value)));
    else query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query}`;
}

function initOf(route: Route, args: Readonly<Record<string, unknown>>, { headers, signal }: CallContext): RequestInit {
  return {
    method: route.method,
    headers: passedOn(headers),
    ...(route.body === undefined ? {} : { body: JSON.stringify(args) }),
    ...(signal === undefined ? {} : { signal }),
  };
}

/** The error that a row threw, out of what GraphQL wrapped around it. */
function causeOf(errors: readonly unknown[]): unknown {
  const [first] = errors;
  if (!(first instanceof GraphQLError)) return first;
  const { grpc, violations, retryAfterMs, reason, field } = first.extensions as {
    grpc?: { code: number };
    violations?: UpstreamError["violations"];
    retryAfterMs?: number;
    reason?: string;
    field?: string;
  };
  if (grpc !== undefined) return new UpstreamError(grpc.code, first.message, { violations, retryAfterMs, reason });
  if (reason !== undefined) return new RowRefusal(reason, field ?? "", first.message);
  return first.originalError ?? first;
}
