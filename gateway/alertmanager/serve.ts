/**
 * The API of Prometheus' Alertmanager, version 2, so that Prometheus, vmalert and amtool take this platform for one. It translates: alerts,
 * silences and rights are the services'.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import { type Answer, BodyTooLarge, clientSignal, INTERNAL_ERROR, MAX_BODY_BYTES, readBody } from "../http.ts";
import type { CallContext } from "../mesh/call.ts";
import { isCancelled } from "../rest/answer.ts";
import type { CallInProcess } from "../rest/direct.ts";
import { Turns } from "../turns.ts";
import { getAlerts, getGroups, postAlerts } from "./alerts.ts";
import { answerTo, BadForm, refused } from "./answers.ts";
import { type Calls, openCalls } from "./calls.ts";
import { BadMatcher, checkMedia, jsonOf } from "./read.ts";
import { deleteSilence, getSilence, getSilences, postSilence } from "./silences.ts";
import { getReceivers, getStatus } from "./status.ts";

/** What of a request a path needs. */
interface Given {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

type Handler = (request: IncomingMessage, response: ServerResponse, given: Given) => Promise<Answer>;

export interface Alertmanager {
  /** By path, with its parameters in braces, and method. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, Handler>>>>;
  close(): void;
}

export interface AlertmanagerOptions {
  /** host:port of the services, without a scheme */
  readonly address: string;
  readonly callInProcess: CallInProcess | undefined;
  readonly logger: Logger;
}

/** Of a body that is read, at the least. */
const BYTES_A_MS = 16_000;
/** From here on bodies are read in turns. */
const LARGE_MS = 4;

interface Call extends Given {
  readonly request: IncomingMessage;
  readonly context: CallContext & { readonly signal: AbortSignal };
}

export function openAlertmanager({ address, callInProcess, logger }: AlertmanagerOptions): Alertmanager {
  const calls: Calls = openCalls(address, callInProcess);
  const large = new Turns("large bodies");

  const handler = (act: (call: Call) => Promise<Answer>): Handler => {
    return async (request, response, given) => {
      const signal = clientSignal(response);
      const headers = request.headers as Record<string, string | undefined>;
      try {
        return await act({ ...given, request, context: { headers, signal } });
      } catch (error) {
        const known = error instanceof BadMatcher ? refused(400, error.message) : answerTo(error);
        if (known !== undefined) return known;
        if (!isCancelled(error) && !signal.aborted)
          logger.error({ err: error, method: request.method, path: request.url?.split("?")[0] }, "request failed");
        return INTERNAL_ERROR;
      }
    };
  };

  async function bodyOf({ request, context }: Call, what: string): Promise<unknown> {
    checkMedia(request.headers["content-type"]);
    const bytes = await bounded(request);
    const cost = bytes.length / BYTES_A_MS;
    if (cost < LARGE_MS) return jsonOf(bytes, what);
    const { headers, signal } = context;
    return large.run({ headers, cost, signal }, async () => jsonOf(bytes, what));
  }

  return {
    close: () => calls.close(),
    paths: {
      "/api/v2/alerts": {
        GET: handler(({ query, context }) => getAlerts(calls, query, context)),
        POST: handler(async (call) => postAlerts(calls, await bodyOf(call, "alerts"), call.context)),
      },
      "/api/v2/alerts/groups": { GET: handler(({ query, context }) => getGroups(calls, query, context)) },
      "/api/v2/silences": {
        GET: handler(({ query, context }) => getSilences(calls, query, context)),
        POST: handler(async (call) => postSilence(calls, await bodyOf(call, "silence"), call.context)),
      },
      "/api/v2/silence/{silence_id}": {
        GET: handler(({ path, context }) => getSilence(calls, path.silence_id!, context)),
        DELETE: handler(({ path, context }) => deleteSilence(calls, path.silence_id!, context)),
      },
      "/api/v2/status": { GET: handler(({ context }) => getStatus(calls, context)) },
      "/api/v2/receivers": { GET: handler(({ context }) => getReceivers(calls, context)) },
    },
  };
}

/** @throws BadForm 413 */
async function bounded(request: IncomingMessage): Promise<Buffer> {
  try {
    return await readBody(request);
  } catch (error) {
    if (!(error instanceof BodyTooLarge)) throw error;
    throw new BadForm(413, 413, `the body is larger than ${MAX_BODY_BYTES} bytes: send fewer alerts at once`);
  }
}
