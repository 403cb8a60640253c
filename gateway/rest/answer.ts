/** What a failed call answers over HTTP. */
import { Code } from "@connectrpc/connect";
import { parseIso } from "../../formats/time.ts";
import { type Answer, detail } from "../http.ts";
import { UpstreamError, type Violation } from "../mesh/errors.ts";
import { UnknownEnumValue } from "../mesh/map.ts";
import { RowRefusal } from "../mesh/tables.ts";
import type { Problem } from "./problem.ts";
import type { Route } from "./routes.ts";

export function unprocessable(problems: readonly Problem[]): Answer {
  return { status: 422, body: { detail: problems } };
}

/** Where the service does not say when a client that was refused may retry. */
const RETRY_AFTER_MS = 1_000;

/** Whole seconds, as the header has them; never too early. */
function retryAfter(milliseconds = RETRY_AFTER_MS): { "retry-after": string } {
  return { "retry-after": String(Math.max(1, Math.ceil(milliseconds / 1_000))) };
}

/** The answer to a failure, or undefined where it is not one that a client gets. */
export function answerTo(error: unknown, route: Route, args: Readonly<Record<string, unknown>>): Answer | undefined {
  if (error instanceof RowRefusal) return refused(error, route, args);
  if (error instanceof UnknownEnumValue) {
    const violation = { field: error.argument, description: error.message };
    return unprocessable([{ ...problemOf(violation, route, args), type: "enum" }]);
  }
  if (!(error instanceof UpstreamError)) return undefined;
  switch (error.httpStatus) {
    case 404:
      return detail(404, route.notFound ?? error.message);
    case 422:
      return unprocessable(violationsOf(error).map((violation) => problemOf(violation, route, args)));
    case 401:
      return detail(401, error.message, { "www-authenticate": "Bearer" });
    case 429:
    case 503:
    case 507:
      return detail(error.httpStatus, error.message, retryAfter(error.retryAfterMs));
    case 500:
      return undefined;
    default:
      return detail(error.httpStatus, error.message);
  }
}

/** Whether the failure is the client's going, which nobody is left to receive. */
export function isCancelled(error: unknown): boolean {
  return error instanceof UpstreamError && error.code === Code.Canceled;
}

function refused(
  { reason, field, message }: RowRefusal,
  route: Route,
  args: Readonly<Record<string, unknown>>,
): Answer {
  if (reason === "conflicting") return detail(409, message);
  if (reason === "forbidden") return detail(403, message);
  if (reason === "too_many_sensors") return detail(429, message);
  const name = field || (reason === "future" || reason === "too_old" ? "observed_at" : "");
  return unprocessable([problemOf({ field: name, description: message }, route, args)]);
}

function violationsOf({ violations, message }: UpstreamError): readonly Violation[] {
  return violations.length > 0 ? violations : [{ field: "", description: message }];
}

/** A rule that only the service knows, such as a size in bytes: named like the others. */
function problemOf({ field, description }: Violation, route: Route, args: Readonly<Record<string, unknown>>): Problem {
  const name = field.replace(/^(?:readings\[\d+\]|profile|config)\.?/, "").replace(/\[.*$/, "");
  const where = route.parameters.find((parameter) => parameter.name === name)?.where ?? (route.body ? "body" : "query");
  return {
    type: name === "observed_at" ? timeProblem(args[name]) : "value_error",
    loc: name === "" ? [where] : [where, name],
    msg: description,
    input: args[name] ?? null,
  };
}

/** A time that was a time, and yet refused, is too far ahead or too long ago. */
function timeProblem(time: unknown): string {
  const instant = parseIso(String(time));
  return instant !== undefined && instant.seconds * 1000 > Date.now() ? "less_than_equal" : "greater_than_equal";
}
