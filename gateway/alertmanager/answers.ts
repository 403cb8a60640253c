/** Answers as Alertmanager gives them: what it refuses is a JSON text, and a request of another form than it wants an object. */
import { Code } from "@connectrpc/connect";
import type { Answer } from "../http.ts";
import { UpstreamError } from "../mesh/errors.ts";

/** Nothing to say: the body of Alertmanager's success. */
export const DONE: Answer = { status: 200, body: "" };

/** What a handler of Alertmanager refuses. */
export function refused(status: number, why: string): Answer {
  return { status, body: JSON.stringify(why) };
}

/** Codes of go-openapi, by which Alertmanager reads requests. */
const REQUIRED = 602;
const WRONG_TYPE = 601;

/** A request that does not have the form of the API. */
export class BadForm extends Error {
  readonly answer: Answer;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.answer = { status, body: { code, message } };
  }
}

export function required(field: string): BadForm {
  return new BadForm(422, REQUIRED, `${field} in body is required`);
}

export function wrongType(field: string, wanted: string, value: string): BadForm {
  return new BadForm(422, WRONG_TYPE, `${field} must be of type ${wanted}: ${JSON.stringify(value.slice(0, 100))}`);
}

export function unparsed(what: string, why: string): BadForm {
  return new BadForm(400, 400, `parsing ${what} body from "" failed, because ${why}`);
}

const RETRY_AFTER_MS = 1_000;

/** The answer to a failure; undefined where it is ours, and for the log. */
export function answerTo(error: unknown): Answer | undefined {
  if (error instanceof BadForm) return error.answer;
  if (!(error instanceof UpstreamError)) return undefined;
  const { httpStatus: status, message } = error;
  if (status === 422) return refused(400, message);
  if (status === 404) return refused(404, message);
  if (status === 500 && error.code !== Code.Canceled) return undefined;
  const body = { code: status, message };
  if (status === 401) return { status, body, headers: { "www-authenticate": "Bearer" } };
  if (![429, 503, 507].includes(status)) return { status, body };
  const seconds = Math.max(1, Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS) / 1_000));
  return { status, body, headers: { "retry-after": String(seconds) } };
}
