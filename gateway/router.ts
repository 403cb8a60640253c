/** Routes requests: every path of the port is named here, in rest/routes.ts or in alertmanager/serve.ts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { allowLong } from "../server/lib/long-requests.ts";
import type { Alertmanager } from "./alertmanager/serve.ts";
import { consoleAsset, hasConsole, sendAsset } from "./console/assets.ts";
import { CONNECT_PREFIX, CONNECT_ROUTE, type Forwarder, refuse } from "./console/connect.ts";
import { BEGIN_PATH, CALLBACK_PATH, LOGOUT_PATH } from "./console/oidc.ts";
import type { ConsolePage } from "./console/page.ts";
import { OF_ANOTHER, type Sessions } from "./console/sessions.ts";
import { checkedRequest } from "./graphql/request.ts";
import { GRAPHQL_PATH } from "./graphql/runtime.ts";
import { HEARTBEAT_ROUTE, type HeartbeatHandlers, TOKEN_ROUTE } from "./heartbeats/serve.ts";
import { type Answer, decodePath, detail, NOT_FOUND, send } from "./http.ts";
import type { IngestPaths } from "./ingest.ts";
import { LINK_ROUTE, type linkHandlers } from "./links/serve.ts";
import { DOCS_PATHS, docsPage } from "./pages/docs.ts";
import { home } from "./pages/home.ts";
import { playground, wantsPlayground } from "./pages/playground.ts";
import { openApiDocument } from "./rest/openapi.ts";
import { INGEST_DOCUMENT_PATH, ingestDocument } from "./rest/openapi-ingest.ts";
import { type Route, routes } from "./rest/routes.ts";
import type { Rest } from "./rest/serve.ts";

export interface RouterOptions {
  readonly rest: Rest;
  readonly alertmanager: Pick<Alertmanager, "paths">;
  readonly heartbeats: HeartbeatHandlers;
  /** Of links in messages, by method. */
  readonly links: ReturnType<typeof linkHandlers>;
  /** Takes a node request whole. */
  readonly graphql: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly metricsText: () => Promise<string>;
  /** False once the gateway is about to stop: load balancers then send no more requests here. */
  readonly isReady: () => boolean;
  /** The refusal for a page that may not make changes; undefined where it may. */
  readonly pageRefusal: (request: IncomingMessage) => string | undefined;
  readonly ingest: IngestPaths;
  readonly version: string;
  /** Calls of the console, and its sessions. */
  readonly forwarder: Forwarder;
  readonly sessions: Sessions;
  readonly page: ConsolePage;
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

interface Endpoint {
  readonly route: string;
  readonly segments: readonly string[];
  readonly methods: Readonly<Record<string, Handler>>;
}

const PLATFORM = "intelligent-detection-monitoring";
const HEALTHY: Answer = { status: 200, body: { status: "healthy", platform: PLATFORM } };
const STOPPING: Answer = { status: 503, body: { status: "stopping", platform: PLATFORM } };
const OK: Answer = { status: 200, body: "OK", headers: { "content-type": "text/plain; charset=utf-8" } };
export const METRICS_PATH = "/api/v1/monitoring/metrics";
const UI = "/ui/";
const SESSION_PATH = "/ui/session";
const PROMETHEUS_TEXT = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };

export class Router {
  readonly #endpoints: Endpoint[] = [];
  /** Endpoints without parameters, by path. */
  readonly #exact = new Map<string, Endpoint>();

  /** Endpoints by what their paths begin with. */
  readonly #prefixed = new Map<string, Endpoint>();

  constructor(options: RouterOptions) {
    const {
      heartbeats,
      rest,
      alertmanager,
      links,
      graphql,
      metricsText,
      isReady,
      pageRefusal,
      ingest,
      version,
      forwarder,
      sessions,
      page,
    } = options;
    let document: Promise<unknown> | undefined;
    const openapi = () => (document ??= rest.document().then((sofa) => openApiDocument(sofa, version)));
    this.#add("/", { GET: async (request) => ((await hasConsole()) ? toConsole(request) : home(request)) });
    this.#addConsole(sessions, page);
    const toServices: Handler = async (request, response) => {
      const refused = pageRefusal(request);
      const session = sessions.credential(request.headers);
      if (refused !== undefined) await refuse(response, 403, "permission_denied", refused);
      else if (sessions.isOfAnother(request.headers, session))
        await refuse(response, 401, "unauthenticated", OF_ANOTHER);
      else await forwarder.forward(request, response, session);
      return undefined;
    };
    this.#addPrefix(CONNECT_PREFIX, CONNECT_ROUTE, { POST: toServices });
    this.#add("/health", { GET: async () => (isReady() ? HEALTHY : STOPPING) });
    this.#add("/openapi.json", { GET: async () => ({ status: 200, body: await openapi() }) });
    const ingestPaths = ingestDocument(version, ingest.paths);
    this.#add(INGEST_DOCUMENT_PATH, { GET: async () => ({ status: 200, body: ingestPaths }) });
    this.#add(METRICS_PATH, {
      GET: async () => ({ status: 200, body: await metricsText(), headers: PROMETHEUS_TEXT }),
    });
    for (const path of DOCS_PATHS) this.#add(path, { GET: () => docsPage(path) });
    const toGraphql: Handler = async (request, response) => {
      if (wantsPlayground(request)) return playground();
      const checked = await checkedRequest(request, pageRefusal(request));
      if ("refusal" in checked) return checked.refusal;
      await graphql(checked.ok, response);
      return undefined;
    };
    this.#add(GRAPHQL_PATH, { GET: toGraphql, POST: toGraphql });
    const toIngest =
      (isLong: boolean): Handler =>
      async (request, response) => {
        if (isLong) {
          allowLong(request);
          if (!takeSession(request, response, sessions)) return detail(401, OF_ANOTHER);
        }
        ingest.serve(request, response);
        return undefined;
      };
    for (const [path, all] of Map.groupBy(ingest.paths, ({ path }) => path)) {
      const methods = all.map(({ method, handleStream }) => [method, toIngest(handleStream !== undefined)]);
      this.#add(path, Object.fromEntries(methods));
    }
    for (const path of new Set(routes.map((route) => route.path))) this.#add(path, restHandlers(path, rest));
    for (const [path, methods] of Object.entries(alertmanager.paths)) this.#add(path, methods);
    this.#add(HEARTBEAT_ROUTE, heartbeats.byCredential);
    this.#add(TOKEN_ROUTE, heartbeats.byToken);
    this.#add(LINK_ROUTE, links);
    // Prometheus' programs all have these.
    const live: Handler = async () => OK;
    const ready: Handler = async () => (isReady() ? OK : { ...OK, status: 503, body: "Stopping" });
    this.#add("/-/healthy", { GET: live, HEAD: live });
    this.#add("/-/ready", { GET: ready, HEAD: ready });
  }

  #addConsole(sessions: Sessions, page: ConsolePage): void {
    const asset: Handler = async (request, response, { query }) => {
      const path = (request.url ?? "").split("?")[0]!.slice(UI.length);
      const file = await consoleAsset(path, request.headers["accept-encoding"]);
      if (file === undefined) return page.answer(request, path, query);
      sendAsset(response, file);
      return undefined;
    };
    this.#add("/ui", { GET: async () => ({ status: 307, body: "", headers: { location: UI } }) });
    this.#add(BEGIN_PATH, { GET: (_request, _response, { query }) => sessions.toProvider(query) });
    this.#add(LOGOUT_PATH, { POST: (request) => sessions.byProvider(request) });
    this.#add(CALLBACK_PATH, { GET: (request, response) => sessions.fromProvider(request, response) });
    this.#add(SESSION_PATH, {
      GET: async () => sessions.ways(),
      POST: (request) => sessions.signIn(request),
      DELETE: (request) => sessions.signOut(request),
    });
    this.#addPrefix(UI, `${UI}{path}`, { GET: asset, HEAD: asset });
  }

  match(request: IncomingMessage): Matched {
    const [path = "/", query = ""] = splitOnce(request.url ?? "/", "?");
    const found = this.#find(path);
    if (found === undefined) return { route: "(none)", handle: (_, response) => this.#unknown(path, query, response) };
    const { endpoint, parameters } = found;
    const handler = endpoint.methods[request.method ?? ""];
    return {
      route: endpoint.route,
      async handle(_request, response) {
        if (handler === undefined) {
          const allow = Object.keys(endpoint.methods).join(", ");
          return send(response, detail(405, "Method Not Allowed", { allow }));
        }
        const answer = await handler(request, response, { path: parameters, query: new URLSearchParams(query) });
        if (answer !== undefined) await send(response, answer);
      },
    };
  }

  #add(route: string, methods: Record<string, Handler>): void {
    const endpoint = { route, segments: route.split("/"), methods };
    if (this.#exact.has(route) || this.#endpoints.some((other) => other.route === route))
      throw new Error(`The path ${route} is named twice: one of the two would never be served`);
    if (route.includes("{")) this.#endpoints.push(endpoint);
    else this.#exact.set(route, endpoint);
  }

  #addPrefix(prefix: string, route: string, methods: Record<string, Handler>): void {
    this.#prefixed.set(prefix, { route, segments: [], methods });
  }

  #find(path: string): { endpoint: Endpoint; parameters: Record<string, string> } | undefined {
    const exact = this.#exact.get(path);
    if (exact !== undefined) return { endpoint: exact, parameters: {} };
    for (const [prefix, endpoint] of this.#prefixed) if (path.startsWith(prefix)) return { endpoint, parameters: {} };
    const segments = path.split("/");
    for (const endpoint of this.#endpoints) {
      const parameters = parametersOf(endpoint.segments, segments);
      if (parameters !== undefined) return { endpoint, parameters };
    }
    return undefined;
  }

  /** A known path with a slash too many is redirected, with its method and body. */
  async #unknown(path: string, query: string, response: ServerResponse): Promise<void> {
    const shorter = withoutSlashes(path);
    if (shorter === path || this.#find(shorter) === undefined) return send(response, NOT_FOUND);
    const location = query === "" ? shorter : `${shorter}?${query}`;
    await send(response, { status: 307, body: "", headers: { location } });
  }
}

/** Files that a page of the console sends come with its cookie; each other program names its credential itself. False: the page is of another session. */
function takeSession(request: IncomingMessage, response: ServerResponse, sessions: Sessions): boolean {
  const session = sessions.credential(request.headers);
  if (sessions.isOfAnother(request.headers, session)) return false;
  if (session === undefined) return true;
  request.headers.authorization = session.authorization;
  if (session.renewed !== undefined) response.setHeader("set-cookie", session.renewed);
  return true;
}

/** Programs find nothing at the root, as ever; a person finds the console. */
function toConsole({ headers }: IncomingMessage): Answer {
  if (!(headers.accept ?? "").includes("text/html")) return NOT_FOUND;
  return { status: 302, body: "", headers: { location: UI, "cache-control": "no-store", vary: "Accept" } };
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
    const value = decodePath(segment);
    if (value === undefined || value === "") return undefined;
    parameters[part.slice(1, -1)] = value;
  }
  return parameters;
}

/** Without those at its end. By hand: a pattern for them would try each run of slashes in a path from each of its slashes. */
function withoutSlashes(path: string): string {
  let end = path.length;
  while (path[end - 1] === "/") end--;
  return path.slice(0, end);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
