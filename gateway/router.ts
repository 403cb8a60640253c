/** Finds who answers a request: every path of the port is named here or in rest/routes.ts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { checkedRequest } from "./graphql/request.ts";
import { GRAPHQL_PATH } from "./graphql/runtime.ts";
import { type Answer, detail, NOT_FOUND, send } from "./http.ts";
import { DOCS_PATHS, docsPage } from "./pages/docs.ts";
import { playground, wantsPlayground } from "./pages/playground.ts";
import { openApiDocument } from "./rest/openapi.ts";
import { type Route, routes } from "./rest/routes.ts";
import type { Rest } from "./rest/serve.ts";

export interface Doors {
  readonly rest: Rest;
  /** Takes a node request whole. */
  readonly graphql: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly metricsText: () => Promise<string>;
  readonly version: string;
}

export interface Matched {
  /** The path with its parameters in braces: a label with few values. */
  readonly route: string;
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

type Handler = (request: IncomingMessage, response: ServerResponse, match: Match) => Promise<Answer | undefined>;

interface Match {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

interface Door {
  readonly route: string;
  readonly segments: readonly string[];
  readonly methods: Readonly<Record<string, Handler>>;
}

const HEALTH: Answer = { status: 200, body: { status: "healthy", platform: "intelligent-detection-monitoring" } };
export const METRICS_PATH = "/api/v1/monitoring/metrics";
const PROMETHEUS_TEXT = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };

export class Router {
  readonly #doors: Door[] = [];
  /** Doors without parameters, by path. */
  readonly #exact = new Map<string, Door>();

  constructor({ rest, graphql, metricsText, version }: Doors) {
    let document: Promise<unknown> | undefined;
    const openapi = () => (document ??= rest.document().then((sofa) => openApiDocument(sofa, version)));
    this.#add("/health", { GET: async () => HEALTH });
    this.#add("/openapi.json", { GET: async () => ({ status: 200, body: await openapi() }) });
    this.#add(METRICS_PATH, {
      GET: async () => ({ status: 200, body: await metricsText(), headers: PROMETHEUS_TEXT }),
    });
    for (const path of DOCS_PATHS) this.#add(path, { GET: () => docsPage(path) });
    const toGraphql: Handler = async (request, response) => {
      if (wantsPlayground(request)) return playground();
      const checked = await checkedRequest(request);
      if ("refusal" in checked) return checked.refusal;
      await graphql(checked.ok, response);
      return undefined;
    };
    this.#add(GRAPHQL_PATH, { GET: toGraphql, POST: toGraphql });
    for (const path of new Set(routes.map((route) => route.path))) this.#add(path, restHandlers(path, rest));
  }

  match(request: IncomingMessage): Matched {
    const [path = "/", query = ""] = splitOnce(request.url ?? "/", "?");
    const found = this.#find(path);
    if (found === undefined) return { route: "(none)", handle: (_, response) => this.#unknown(path, query, response) };
    const { door, parameters } = found;
    const handler = door.methods[request.method ?? ""];
    return {
      route: door.route,
      async handle(_request, response) {
        if (handler === undefined) {
          const allow = Object.keys(door.methods).join(", ");
          return send(response, detail(405, "Method Not Allowed", { allow }));
        }
        const answer = await handler(request, response, { path: parameters, query: new URLSearchParams(query) });
        if (answer !== undefined) send(response, answer);
      },
    };
  }

  #add(route: string, methods: Record<string, Handler>): void {
    const door = { route, segments: route.split("/"), methods };
    if (route.includes("{")) this.#doors.push(door);
    else this.#exact.set(route, door);
  }

  #find(path: string): { door: Door; parameters: Record<string, string> } | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return { door: exact, parameters: {} };
    const segments = path.split("/");
    for (const door of this.#doors) {
      const parameters = parametersOf(door.segments, segments);
      if (parameters !== undefined) return { door, parameters };
    }
    return undefined;
  }

  /** A known path with a slash too many is told where to go, with its method and body. */
  async #unknown(path: string, query: string, response: ServerResponse): Promise<void> {
    const shorter = path.replace(/\/+$/, "");
    if (shorter === path || this.#find(shorter) === undefined) return send(response, NOT_FOUND);
    const location = query === "" ? shorter : `${shorter}?${query}`;
    send(response, { status: 307, body: "", headers: { location } });
  }
}

function restHandlers(path: string, rest: Rest): Record<string, Handler> {
  const own = routes.filter((route) => route.path === path);
  return Object.fromEntries(own.map((route) => [route.method, restHandler(route, rest)]));
}

function restHandler(route: Route, rest: Rest): Handler {
  return (request, response, match) => rest.answer(route, { request, response, ...match });
}

/** The parameters of a path that fits, decoded; undefined where it does not fit. */
function parametersOf(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!;
    if (!part.startsWith("{")) {
      if (part !== segment) return undefined;
      continue;
    }
    const value = decode(segment);
    if (value === undefined || value === "") return undefined;
    parameters[part.slice(1, -1)] = value;
  }
  return parameters;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
