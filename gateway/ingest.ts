/** Paths of ingest protocols, and of what reads over plain HTTP, on this listener: whatever comes by them is answered by the services' own listener. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { EndpointDocument } from "../server/lib/endpoint-document.ts";
import { endToEnd, framing, handOn, type NoAnswer, upstreamAt } from "./hand-on.ts";
import { type Answer, detail, send } from "./http.ts";

export interface IngestPath {
  /** Of a path by which readings come in. */
  readonly document?: EndpointDocument | undefined;
  readonly path: string;
  readonly method: string;
  /** There where a body takes as long as it takes: the services see to it that it comes on. */
  readonly handleStream?: unknown;
}

export interface IngestPaths {
  readonly paths: readonly IngestPath[];
  /** Answers a request of one of the paths. */
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
}

/** Idle connections to the services that are kept. */
const MAX_IDLE = 16;
/** The services answer within 30 s of the whole body, with a refusal if need be. */
const ANSWER_TIMEOUT_MS = 45_000;

/** Passes requests on as they come to the services of another process. */
export function passOn(grpcUrl: string): IngestPaths["serve"] {
  const upstream = upstreamAt(grpcUrl, { maxFreeSockets: MAX_IDLE });
  return (request, response) => {
    void handOn(request, response, {
      ...{ upstream, path: request.url ?? "/", answerTimeoutMs: ANSWER_TIMEOUT_MS },
      headers: { ...endToEnd(request.headers), ...framing(request) },
      answerHeaders: endToEnd,
      refuse: (why) => send(response, NO_ANSWER[why]),
    });
  };
}

const RETRY = { "retry-after": "1" };
const NO_ANSWER: Readonly<Record<NoAnswer, Answer>> = {
  gone: detail(503, "The services do not answer now: send it again later", RETRY),
  late: detail(504, "The services did not answer in time: send it again later", RETRY),
};
