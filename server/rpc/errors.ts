import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { BadRequestSchema, RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { type ErrorKind, TelltaleError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import { requestId, SampledLines } from "../observe/sampled.ts";

const codes: Readonly<Record<ErrorKind, Code>> = {
  invalid: Code.InvalidArgument,
  not_found: Code.NotFound,
  unauthenticated: Code.Unauthenticated,
  forbidden: Code.PermissionDenied,
  exhausted: Code.ResourceExhausted,
  unavailable: Code.Unavailable,
  conflict: Code.FailedPrecondition,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
};

/** All that a client learns of a failure of ours; the log has the rest. */
export const internalMessage = "Internal server error";

/**
 * The error as a client sees it: our kinds with google.rpc details, Connect's own errors as they are, anything else without a
 * word of what happened inside.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  if (!(error instanceof TelltaleError) || error.kind === "internal") {
    return new ConnectError(internalMessage, Code.Internal, undefined, undefined, error);
  }
  const { retryAfterMs } = error;
  // What the details say in gRPC, the header says to a plain HTTP client.
  const header = retryAfterMs === undefined ? undefined : { "retry-after": String(Math.ceil(retryAfterMs / 1_000)) };
  return new ConnectError(error.message, codes[error.kind], header, details(error), error);
}

function details({ violations, retryAfterMs }: TelltaleError) {
  const badRequest = { desc: BadRequestSchema, value: { fieldViolations: violations.map((each) => ({ ...each })) } };
  const retryInfo = { desc: RetryInfoSchema, value: { retryDelay: duration(retryAfterMs ?? 0) } };
  return [...(violations.length > 0 ? [badRequest] : []), ...(retryAfterMs === undefined ? [] : [retryInfo])];
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

/** The header in which a caller names its call, and in which it is told how the log names it. */
export const REQUEST_ID = "x-request-id";

/** A line about a call that was refused, one a second for each code. */
export function refusalLine(lines: SampledLines, error: ConnectError, method: string, id: string): void {
  if (!REFUSALS.has(error.code)) return;
  const { rawMessage: reason } = error;
  lines.say(Code[error.code], { code: Code[error.code], method, reason, request_id: id }, "call refused");
}

/**
 * The outermost interceptor: whatever a service throws, also in the middle of a stream, leaves as a ConnectError. A failure of ours is
 * logged with the call's id, which the caller is told too.
 */
export function errorInterceptor(logger: Logger, lines = new SampledLines(logger)): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const told = (error: unknown) => {
      const id = requestId(request.header.get(REQUEST_ID));
      return tell(error, { signal: request.signal, method, id, logger, lines });
    };
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: mapped(response.message, told) } : response;
    } catch (error) {
      throw told(error);
    }
  };
}

/** Hands on what a stream yields and maps what it throws. */
async function* mapped<T>(messages: AsyncIterable<T>, told: (error: unknown) => ConnectError): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    throw told(error);
  }
}

interface Call {
  readonly signal: AbortSignal;
  readonly method: string;
  readonly id: string;
  readonly logger: Logger;
  readonly lines: SampledLines;
}

function tell(error: unknown, { signal, method, id, logger, lines }: Call): ConnectError {
  // A service that was interrupted may throw anything; why it was interrupted is what counts.
  if (signal.aborted && !(error instanceof TelltaleError)) {
    return signal.reason instanceof ConnectError
      ? signal.reason
      : new ConnectError("The call was cancelled", Code.Canceled, undefined, undefined, error);
  }
  const result = toConnectError(error);
  if (result.code === Code.Internal || result.code === Code.Unknown) {
    logger.error({ err: error, method, request_id: id }, "call failed");
    result.metadata.set(REQUEST_ID, id);
  } else refusalLine(lines, result, method, id);
  return result;
}
