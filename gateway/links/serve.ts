/** Links in messages: a look at the page changes nothing, since mail scanners follow links; a form that is sent acts. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { Code } from "@connectrpc/connect";
import { LinkAction } from "../../gen/es/telltale/v1/notification_pb.ts";
import { enumName, enumValue } from "../../server/lib/enum-name.ts";
import { ACT_FIELD, LINK_PATH } from "../../server/lib/link-path.ts";
import type { Calls } from "../alertmanager/calls.ts";
import { type Answer, BodyTooLarge, clientSignal, readBody } from "../http.ts";
import type { CallContext } from "../mesh/call.ts";
import { UpstreamError } from "../mesh/errors.ts";
import { alertPage, refusalPage } from "./page.ts";

export const LINK_ROUTE = `${LINK_PATH}{link}`;

/** What can be asked for, as an address or a form says it. */
const ACTS: readonly string[] = Object.values(LinkAction)
  .filter((each) => typeof each === "number" && each !== LinkAction.UNSPECIFIED)
  .map((each) => enumName(LinkAction, each as LinkAction));

/** What a link is answered with where there is nothing to see or do. */
const STATUSES: ReadonlyMap<Code, number> = new Map([
  [Code.Unauthenticated, 403],
  [Code.PermissionDenied, 410],
  [Code.NotFound, 410],
  [Code.FailedPrecondition, 409],
  [Code.Unimplemented, 404],
  [Code.InvalidArgument, 400],
  [Code.ResourceExhausted, 429],
]);
const UNANSWERED: ReadonlySet<Code> = new Set([Code.Unavailable, Code.DeadlineExceeded, Code.Canceled]);
const HOW = "It stands in the address, or in a form of the type application/x-www-form-urlencoded.";
const TRY_AGAIN = "The platform does not answer now. Try again in a moment.";
const RETRY_AFTER_MS = 1_000;

interface Given {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
}

type Handler = (request: IncomingMessage, response: ServerResponse, given: Given) => Promise<Answer>;

/** By method. */
export function linkHandlers(calls: Calls): Readonly<Record<"GET" | "HEAD" | "POST", Handler>> {
  const handler = (
    answer: (link: string, given: Given, request: IncomingMessage, context: CallContext) => Promise<Answer>,
  ): Handler => {
    return async (request, response, given) => {
      const context = {
        headers: request.headers as Record<string, string | undefined>,
        signal: clientSignal(response),
      };
      try {
        return await answer(given.path.link!, given, request, context);
      } catch (error) {
        return refusalOf(error);
      }
    };
  };
  const look = handler(async (link, { query }, _, context) => {
    const { alert } = await calls.call("getLinkedAlert", { link }, context);
    return alertPage(alert!, { said: "", first: actNamed(query.get(ACT_FIELD)) });
  });
  const act = handler(async (link, { query }, request, context) => {
    const action = await wanted(request, query);
    if (action === undefined) {
      return refusalPage(400, `Say what to do: ${ACT_FIELD} is one of ${ACTS.join(", ")}. ${HOW}`);
    }
    const { summary, alert } = await calls.call("actByLink", { link, action }, context);
    return alertPage(alert!, { said: summary });
  });
  return { GET: look, HEAD: look, POST: act };
}

/** A form of the page says it in its body, a program in the address. */
async function wanted(request: IncomingMessage, query: URLSearchParams): Promise<LinkAction | undefined> {
  const named = query.get(ACT_FIELD) ?? new URLSearchParams(String(await readBody(request))).get(ACT_FIELD);
  return actNamed(named);
}

function actNamed(word: string | null): LinkAction | undefined {
  return word !== null && ACTS.includes(word) ? enumValue(LinkAction, word) : undefined;
}

function refusalOf(error: unknown): Answer {
  if (error instanceof BodyTooLarge) return refusalPage(413, "The form is too large.");
  if (!(error instanceof UpstreamError)) throw error;
  if (!STATUSES.has(error.code) && !UNANSWERED.has(error.code)) throw error;
  const status = STATUSES.get(error.code);
  if (status !== undefined && status !== 429) return refusalPage(status, error.message);
  const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS) / 1_000));
  const retry = { "retry-after": String(seconds) };
  return status === 429 ? refusalPage(429, error.message, retry) : refusalPage(503, TRY_AGAIN, retry);
}
