/** Answers the REST paths: reads the arguments, runs the row by its way, and says what went wrong in the contract's form. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { SampledLines } from "../../server/observe/sampled.ts";
import { type Answer, BodyTooLarge, clientSignal, detail, INTERNAL_ERROR, MAX_BODY_BYTES, readBody } from "../http.ts";
import { UpstreamError } from "../mesh/errors.ts";
import type { RunUnary } from "../mesh/run.ts";
import type { GatewayMetrics } from "../metrics.ts";
import { Turns } from "../turns.ts";
import { answerTo, isCancelled, unprocessable } from "./answer.ts";
import { type CallInProcess, directRoute } from "./direct.ts";
import { nextLink } from "./pages.ts";
import { readArguments } from "./read.ts";
import { type Route, routes } from "./routes.ts";
import { sofaWay } from "./sofa.ts";
import { type UnknownNames, unknownProblems, warningHeader } from "./unknown.ts";

export interface RestRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

export interface Rest {
  answer(route: Route, given: RestRequest): Promise<Answer>;
  /** SOFA's part of the OpenAPI document. */
  readonly document: () => Promise<unknown>;
  close(): Promise<void>;
}

/** What any page may send to anybody without asking. */
function isForm(contentType = ""): boolean {
  return /^\s*(application\/x-www-form-urlencoded|multipart\/form-data|text\/plain)\b/i.test(contentType);
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/** Whether what is in a body must be known, though the path takes none: what was sent was meant to do something. */
function mayRefuseBody({ method, refusesUnknown }: Route): boolean {
  return method !== "GET" && refusesUnknown === true;
}

/** Of a body that is read, at the least. */
const BYTES_A_MS = 16_000;
/** From here on bodies are read in turns: four times a reading with as much metadata as there may be. */
const LARGE_MS = 4;

export interface RestOptions {
  /** host:port of the services, without a scheme */
  readonly address: string;
  readonly logger: Logger;
  readonly metrics: GatewayMetrics;
  /** Calls the services where they are in this process. */
  readonly callInProcess?: CallInProcess | undefined;
  /** Take a body's `timestamp` for `observed_at`. */
  readonly acceptTimestamp: boolean;
}

export async function createRest(options: RestOptions): Promise<Rest> {
  const { address, logger, metrics, acceptTimestamp, callInProcess } = options;
  const direct = directRoute(address, callInProcess);
  const sofa = await sofaWay(address);
  const runs = new Map<Route, RunUnary>(
    routes.map((route) => [route, route.via === "direct" ? direct.of(route.row) : sofa.of(route)]),
  );

  const large = new Turns("large bodies");
  const readInTurn = async <T>(request: IncomingMessage, signal: AbortSignal, bytes: number, read: () => T) => {
    const cost = bytes / BYTES_A_MS;
    const headers = request.headers as Record<string, string | undefined>;
    return cost < LARGE_MS ? read() : large.run({ headers, cost, signal }, async () => read());
  };
  const lines = new SampledLines(logger);
  const logUnknown = (route: Route, { first, counts }: UnknownNames) => {
    for (const [where, count] of counts) {
      if (count === 0) continue;
      metrics.unknownNames.inc({ route: route.path, where }, count);
      const name = first.find((each) => each.where === where)?.name;
      lines.say(`${route.path} ${where}`, { route: route.path, where, name }, "unknown name ignored", count);
    }
  };

  const answer = async (route: Route, given: RestRequest): Promise<Answer> => {
    const { request, response, path, query } = given;
    let body: Buffer | undefined;
    try {
      if (route.body !== undefined || (mayRefuseBody(route) && hasBody(request))) body = await readBody(request);
    } catch (error) {
      if (!(error instanceof BodyTooLarge)) throw error;
      return detail(413, `The body is larger than ${MAX_BODY_BYTES} bytes.`, { connection: "close" });
    }
    const contentType = request.headers["content-type"];
    if (route.method === "POST" && route.body === undefined && hasBody(request) && isForm(contentType))
      return detail(415, "This path takes no form and no text: send nothing, or application/json.");
    const sent = { path, query, contentType, acceptTimestamp, ...(body === undefined ? {} : { body }) };
    const signal = clientSignal(response);
    let read: ReturnType<typeof readArguments>;
    try {
      read = await readInTurn(request, signal, body?.length ?? 0, () => readArguments(route, sent));
    } catch (error) {
      if (error instanceof UpstreamError) return answerTo(error, route, {}) ?? INTERNAL_ERROR;
      if (signal.aborted) return INTERNAL_ERROR; // to nobody
      throw error;
    }
    if (route.refusesUnknown) {
      const problems = [...("problems" in read ? read.problems : []), ...unknownProblems(read.unknown)];
      if (problems.length > 0) return unprocessable(problems);
    }
    logUnknown(route, read.unknown);
    // Whatever the answer is: an unknown name may be why.
    const warning = warningHeader(read.unknown);
    if (warning !== undefined) {
      response.setHeader("warning", warning);
      // A page of another origin sees only the headers that are named here.
      response.appendHeader("access-control-expose-headers", "warning");
    }
    if ("problems" in read) return unprocessable(read.problems);
    const { args } = read;
    try {
      const headers = request.headers as Record<string, string | undefined>;
      const onNextPage = (token: string) => {
        response.setHeader("link", nextLink(route, query, token));
        response.appendHeader("access-control-expose-headers", "link");
      };
      const body = await runs.get(route)!(args, { headers, signal, onNextPage });
      return { status: 200, body };
    } catch (error) {
      const known = answerTo(error, route, args);
      if (known !== undefined) return known;
      if (!isCancelled(error)) logger.error({ err: error, method: route.method, path: route.path }, "request failed");
      return INTERNAL_ERROR;
    }
  };
  return {
    answer,
    document: sofa.document,
    close: async () => {
      direct.close();
      await sofa.close();
    },
  };
}
