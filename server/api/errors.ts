import { Code, ConnectError, type HandlerContext, type Interceptor } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { type ErrorKind, type FieldViolation, storageFull, TelltaleError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import { requestId, SampledLines } from "../observe/sampled.ts";
import { doesNotAnswer, withoutResources, withoutRoom } from "../postgres/unavailable.ts";

const codes: Readonly<Record<ErrorKind, Code>> = {
  invalid: Code.InvalidArgument,
  not_found: Code.NotFound,
  exists: Code.AlreadyExists,
  unauthenticated: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  conflict: Code.FailedPrecondition,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
};

/** The code that a client sees for a kind of failure. */
export function codeOf(kind: ErrorKind): Code {
  return codes[kind];
}

/** What other statements use they give back within seconds. */
const DATABASE_RETRY_MS = 2_000;

/** All that a client learns of a failure of ours; the log has the rest. */
const INTERNAL_MESSAGE = "Internal server error";

/**
 * The error as a client sees it: our kinds with google.rpc details, Connect's own errors as they are, anything else without a
 * word of what happened inside.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return blameCaller(error);
  const transient = ofDatabase(error);
  if (transient !== undefined) return toConnectError(refusedByDatabase(transient, error));
  const full = withoutRoom(error ?? {});
  if (full !== undefined) return toConnectError(storageFull(full, error));
  if (!(error instanceof TelltaleError) || error.kind === "internal") {
    return new ConnectError(INTERNAL_MESSAGE, Code.Internal, undefined, undefined, error);
  }
  const { retryAfterMs } = error;
  // What the details say in gRPC, the header says to a plain HTTP client.
  const header = retryAfterMs === undefined ? undefined : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
  return new ConnectError(error.message, codes[error.kind], header, details(error), error);
}

/** Why the same statement may succeed later, a sentence; undefined where it may not, or the error is not the database's. */
function ofDatabase(error: unknown): string | undefined {
  return withoutResources(error ?? {}) ?? (doesNotAnswer(error ?? {}) ? "the database does not answer" : undefined);
}

/** One statement's trouble: what readings are refused for is found out where they are written. */
function refusedByDatabase(why: string, cause: unknown): TelltaleError {
  return new TelltaleError("unavailable", `${why}: try again later`, { retryAfterMs: DATABASE_RETRY_MS, cause });
}

/** Requests that are no message of their type, or compressed and cut off, are their senders' faults; Connect says "internal" of them. */
function blameCaller(error: ConnectError): ConnectError {
  if (error.code !== Code.Internal) return error;
  const { rawMessage } = error;
  if (rawMessage === "decompression failed") return blamed(error, "The request is not compressed as it says");
  if (!rawMessage.startsWith("parse binary: ")) return error;
  return blamed(error, `The request is no message of its type: ${rawMessage.slice("parse binary: ".length)}`);
}

function blamed(error: ConnectError, message: string): ConnectError {
  // As it is, not a new one: Connect sends the one that it has, and tells of it only by the end of the call.
  return Object.assign(error, {
    code: Code.InvalidArgument,
    rawMessage: message,
    message: `[invalid_argument] ${message}`,
  });
}

/** A unary request is read before any interceptor runs: what is wrong with it is seen where the call ends by it. */
export function blameUnreadable({ signal }: Pick<HandlerContext, "signal">): void {
  signal.addEventListener("abort", () => void (signal.reason instanceof ConnectError && blameCaller(signal.reason)), {
    once: true,
  });
}

function details({ violations, retryAfterMs, reason }: TelltaleError) {
  const retryInfo = { desc: RetryInfoSchema, value: { retryDelay: duration(retryAfterMs ?? 0) } };
  const errorInfo = { desc: ErrorInfoSchema, value: { reason: reason ?? "", domain: "telltale" } };
  return [
    ...(reason === undefined ? [] : [errorInfo]),
    ...badRequest(violations),
    ...(retryAfterMs === undefined ? [] : [retryInfo]),
  ];
}

/** Details travel in a trailer, in base64, and many clients end a call whose headers are over 8 KiB. */
const MAX_DETAIL_CHARACTERS = 4_000;

/** google.rpc.BadRequest with as many of the violations as fit; nothing where there are none. */
export function badRequest(violations: readonly FieldViolation[]) {
  let room = MAX_DETAIL_CHARACTERS;
  const fieldViolations = violations.filter(({ field, description }, index) => {
    room -= field.length + description.length;
    return index === 0 || room >= 0;
  });
  if (fieldViolations.length === 0) return [];
  return [{ desc: BadRequestSchema, value: { fieldViolations: fieldViolations.map((each) => ({ ...each })) } }];
}

function duration(milliseconds: number) {
  const seconds = Math.floor(milliseconds / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((milliseconds - seconds * 1_000) * 1e6) };
}

/** Refusals that somebody may want to look into; what merely is not there, and what was cancelled, are none. */
const REFUSALS: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.Unauthenticated,
  Code.PermissionDenied,
  Code.ResourceExhausted,
  Code.FailedPrecondition,
]);

/** The header in which a caller names its call, and in which the id used in the log is returned. */
export const REQUEST_ID = "x-request-id";

/** A line about a call that was refused, one a second for each code. */
export function refusalLine(lines: SampledLines, error: ConnectError, method: string, id: string): void {
  if (!REFUSALS.has(error.code)) return;
  const { rawMessage: reason } = error;
  lines.say(Code[error.code], { code: Code[error.code], method, reason, request_id: id }, "call refused");
}

/**
 * The outermost interceptor: whatever a service throws, also in the middle of a stream, leaves as a ConnectError. A failure of ours is
 * logged with the call's id, which is returned to the caller too.
 */
export function errorInterceptor(logger: Logger, lines = new SampledLines(logger)): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const toConnect = (error: unknown) => {
      const id = requestId(request.header.get(REQUEST_ID));
      return mapAndLog(error, { signal: request.signal, method, id, logger, lines });
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: mapped(response.message, toConnect) } : response;
    } catch (error) {
      throw toConnect(error);
    }
  };
}

/** Hands on what a stream yields and maps what it throws. */
async function* mapped<T>(messages: AsyncIterable<T>, map: (error: unknown) => ConnectError): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw map(error);
  }
}

interface Call {
  readonly signal: AbortSignal;
  readonly method: string;
  readonly id: string;
  readonly logger: Logger;
  readonly lines: SampledLines;
}

function mapAndLog(error: unknown, { signal, method, id, logger, lines }: Call): ConnectError {
  // A service that was interrupted may throw anything; why it was interrupted is what counts.
  if (signal.aborted && !(error instanceof TelltaleError)) {
    return signal.reason instanceof ConnectError
      ? signal.reason
      : new ConnectError("The call was cancelled", Code.Canceled, undefined, undefined, error);
  }
  const result = toConnectError(error);
  if (isOurs(result)) result.metadata.set(REQUEST_ID, id);
  logFailure(error, result, { method, id, logger, lines });
  return result;
}

function isOurs({ code }: ConnectError): boolean {
  return code === Code.Internal || code === Code.Unknown;
}

/** @param failure the error as the caller sees it */
export function logFailure(
  error: unknown,
  failure: ConnectError,
  { method, id, logger, lines }: Omit<Call, "signal">,
): void {
  if (isOurs(failure)) logger.error({ err: error, method, request_id: id }, "call failed");
  else if (ofDatabase(error) !== undefined) {
    lines.say("database", { err: error, method, request_id: id }, "call failed for want of the database");
  } else refusalLine(lines, failure, method, id);
}
