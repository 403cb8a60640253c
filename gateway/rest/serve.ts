/** Answers the REST paths: reads the arguments, runs the row by its way, and says what went wrong in the contract's form. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { type Answer, BodyTooLarge, clientSignal, detail, INTERNAL_ERROR, MAX_BODY_BYTES, readBody } from "../http.ts";
import type { RunUnary } from "../mesh/run.ts";
import { answerTo, isCancelled, unprocessable } from "./answer.ts";
import { readArguments } from "./read.ts";
import { type Route, routes } from "./routes.ts";
import { shortWay } from "./short.ts";
import { sofaWay } from "./sofa.ts";

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

/** @param address host:port of the services, without a scheme */
export async function createRest(address: string, logger: Logger): Promise<Rest> {
  const short = shortWay(address);
  const sofa = await sofaWay(address);
  const runs = new Map<Route, RunUnary>(
    routes.map((route) => [route, route.way === "short" ? short.of(route.row) : sofa.of(route)]),
  );

  const answer = async (route: Route, { request, response, path, query }: RestRequest): Promise<Answer> => {
    let body: Buffer | undefined;
    try {
      if (route.body !== undefined) body = await readBody(request);
    } catch (error) {
      if (!(error instanceof BodyTooLarge)) throw error;
      return detail(413, `The body is larger than ${MAX_BODY_BYTES} bytes.`, { connection: "close" });
    }
    const contentType = request.headers["content-type"];
    const read = readArguments(route, { path, query, contentType, ...(body === undefined ? {} : { body }) });
    if ("problems" in read) return unprocessable(read.problems);
    const { args } = read;
    try {
      const headers = request.headers as Record<string, string | undefined>;
      return { status: 200, body: await runs.get(route)!(args, { headers, signal: clientSignal(response) }) };
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
      short.close();
      await sofa.close();
    },
  };
}
