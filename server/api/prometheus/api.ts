/** Prometheus' HTTP API, as far as it reads: so that Grafana, promtool, vmalert and Prometheus itself take this platform for one. */
import description from "../../../package.json" with { type: "json" };
import type { Clock } from "../../clock.ts";
import { HttpRefusal } from "../../ingest/protocol.ts";
import { Turns } from "../../lib/turns.ts";
import { badQuery, QueryProblem } from "../../promql/errors.ts";
import type { Registry } from "../../registry/registry.ts";
import type { Queries } from "../../store/queries.ts";
import type { ReadApi, ReadRequest, ReadResponse } from "../read-routes.ts";
import { type CatalogueContext, labelNames, labelValues, metadata, seriesList } from "./catalogue.ts";
import { instantQuery, type QueryAnswer, type QueryContext, rangeQuery, type SeriesAnswer } from "./queries.ts";
import { remoteRead } from "./remote-read.ts";
import { StoredSamples } from "./samples.ts";
import { SeriesFinder } from "./select.ts";

export interface PrometheusApiOptions {
  readonly registry: Pick<Registry, "visit">;
  readonly queries: Pick<Queries, "seriesWithin" | "readSeries">;
  readonly clock: Clock;
}

const FORM = /^\s*application\/x-www-form-urlencoded\s*(;|$)/i;

/** Clients decide by it what they may ask for. */
const API_VERSION = "3.0.0";
const BUILD = {
  version: API_VERSION,
  revision: `telltale-${description.version}`,
  ...{ branch: "", buildUser: "", buildDate: "", goVersion: "" },
};

const REMOTE_READ = "/api/v1/read";
/** Grafana asks for it, to know whether to offer exemplars: it takes the 404 for no. */
const EXEMPLARS = "/api/v1/query_exemplars";
const NO_EXEMPLARS = "exemplars are not stored here, so there are none to ask for";

/** The paths, with parameters in braces, and their methods. A gateway passes them on. */
export const PROMETHEUS_PATHS: readonly { readonly path: string; readonly method: string }[] = [
  ...["/api/v1/query", "/api/v1/query_range", "/api/v1/series", "/api/v1/labels", EXEMPLARS].flatMap((path) => [
    { path, method: "GET" },
    { path, method: "POST" },
  ]),
  { path: REMOTE_READ, method: "POST" },
  ...["/api/v1/label/{name}/values", "/api/v1/metadata", "/api/v1/rules", "/api/v1/status/buildinfo"].map((path) => ({
    path,
    method: "GET",
  })),
];

export function prometheusApi({ registry, queries, clock }: PrometheusApiOptions): ReadApi {
  async function answer(path: string, request: ReadRequest): Promise<ReadResponse> {
    const { signal, principal } = request;
    const { sensorPrefix } = principal;
    const finder = new SeriesFinder(registry, queries, sensorPrefix);
    const source = new StoredSamples(finder, queries, signal);
    if (path === REMOTE_READ) return remoteRead(request, source);
    if (path === EXEMPLARS) return failure(404, "not_found", NO_EXEMPLARS);
    const parameters = parametersOf(request);
    const query: QueryContext = { parameters, nowMs: Math.floor(clock.nowUs() / 1_000), source, signal };
    const catalogue: CatalogueContext = { parameters, registry, finder, sensorPrefix };
    switch (path) {
      case "/api/v1/query":
        return queryOk(await instantQuery(query), signal);
      case "/api/v1/query_range":
        return queryOk(await rangeQuery(query), signal);
      case "/api/v1/series":
        return ok(await seriesList(catalogue));
      case "/api/v1/labels":
        return ok(await labelNames(catalogue));
      case "/api/v1/metadata":
        return ok(await metadata(catalogue));
      // Grafana's list of alert rules asks every data source for its own. Detectors judge here, and no rules.
      case "/api/v1/rules":
        return ok({ data: { groups: [] } });
      case "/api/v1/status/buildinfo":
        return ok({ data: BUILD });
      default:
        return ok(await labelValues(catalogue, labelOf(path)));
    }
  }
  return {
    name: "prometheus",
    paths: PROMETHEUS_PATHS,
    answer: async (path, request) => {
      try {
        return await answer(path, request);
      } catch (error) {
        if (!(error instanceof QueryProblem)) throw error;
        return failure(error.kind === "bad_data" ? 400 : 422, error.kind, error.message);
      }
    },
    refuse: ({ status, message }) => failure(status, ERROR_TYPES[status] ?? "internal", message),
  };
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  ...{ 400: "bad_data", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "bad_data", 408: "timeout" },
  ...{ 413: "bad_data", 415: "bad_data", 422: "execution", 429: "unavailable", 499: "canceled", 503: "unavailable" },
  504: "timeout",
};

function ok(answer: { readonly data: unknown; readonly warnings?: readonly string[] }): ReadResponse {
  return json(200, { status: "success", ...answer });
}

const JSON_TYPE = { "content-type": "application/json" };

/** Written in pieces: others have their turn in between, and nothing is written for who has gone. */
async function queryOk({ resultType, result }: QueryAnswer, signal: AbortSignal): Promise<ReadResponse> {
  const pieces = [Buffer.from(`{"status":"success","data":{"resultType":"${resultType}","result":`)];
  if (resultType === "scalar" || resultType === "string") pieces.push(Buffer.from(JSON.stringify(result)));
  else {
    const turns = new Turns();
    let before = "[";
    for (const series of result as Iterable<SeriesAnswer>) {
      pieces.push(Buffer.from(before + JSON.stringify(series)));
      before = ",";
      if (turns.isLong()) await turns.take();
      signal.throwIfAborted();
    }
    pieces.push(Buffer.from(before === "[" ? "[]" : "]"));
  }
  pieces.push(Buffer.from("}}"));
  return { status: 200, headers: JSON_TYPE, body: Buffer.concat(pieces) };
}

function failure(status: number, errorType: string, error: string): ReadResponse {
  return json(status, { status: "error", errorType, error });
}

function json(status: number, body: object): ReadResponse {
  return { status, headers: JSON_TYPE, body: JSON.stringify(body) };
}

/** Those of the address and of a form together. */
function parametersOf({ query, body, headers }: ReadRequest): URLSearchParams {
  if (body.length === 0) return query;
  const type = headers.get("content-type") ?? "";
  if (!FORM.test(type))
    throw new HttpRefusal(
      415,
      "invalid",
      `content-type is ${JSON.stringify(type.slice(0, 100))}: send parameters as application/x-www-form-urlencoded`,
    );
  const all = new URLSearchParams(Buffer.from(body).toString("utf8"));
  for (const [name, value] of query) all.append(name, value);
  return all;
}

function labelOf(path: string): string {
  const [, name = ""] = /^\/api\/v1\/label\/([^/]+)\/values$/.exec(path) ?? [];
  try {
    const label = decodeURIComponent(name);
    // Names outside of Prometheus' first alphabet are sent in its escaped form.
    return label.startsWith("U__") ? unescaped(label.slice(3)) : label;
  } catch {
    throw badQuery(`the label ${JSON.stringify(name.slice(0, 100))} is not encoded as in addresses`);
  }
}

function unescaped(name: string): string {
  return name.replace(/_([0-9a-f]{1,6})_|__/gi, (whole, code?: string) =>
    code === undefined ? "_" : codePoint(code, whole),
  );
}

function codePoint(code: string, whole: string): string {
  const point = Number.parseInt(code, 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
}
