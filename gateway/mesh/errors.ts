/** Errors of the services as outsiders see them: one map from gRPC codes to GraphQL codes and HTTP statuses. */
import { Code, type ConnectError } from "@connectrpc/connect";
import { status as grpcStatus, type ServiceError } from "@grpc/grpc-js";
import { GraphQLError } from "graphql";
import protobufjs from "protobufjs";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/es/google/rpc/error_details_pb.ts";
import { UnknownEnumValue } from "./map.ts";
import { RowRefusal } from "./tables.ts";

export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** The reason of RESOURCE_EXHAUSTED where it is the server's disk that has no room, not the caller that sends too much. */
const STORAGE_FULL = "STORAGE_FULL";

/** A code that says what to do: mend the request, sign in, wait, or try again. */
const GRAPHQL_CODES: Readonly<Record<number, string>> = {
  [Code.Canceled]: "CANCELLED",
  [Code.InvalidArgument]: "BAD_USER_INPUT",
  [Code.OutOfRange]: "BAD_USER_INPUT",
  [Code.NotFound]: "NOT_FOUND",
  [Code.AlreadyExists]: "CONFLICT",
  [Code.FailedPrecondition]: "CONFLICT",
  [Code.Aborted]: "CONFLICT",
  [Code.Unauthenticated]: "UNAUTHENTICATED",
  [Code.PermissionDenied]: "FORBIDDEN",
  [Code.ResourceExhausted]: "RATE_LIMITED",
  [Code.Unavailable]: "SERVICE_UNAVAILABLE",
  [Code.DeadlineExceeded]: "TIMEOUT",
  [Code.Unimplemented]: "NOT_IMPLEMENTED",
};

const HTTP_STATUSES: Readonly<Record<number, number>> = {
  [Code.InvalidArgument]: 422,
  [Code.OutOfRange]: 422,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.FailedPrecondition]: 409,
  [Code.Aborted]: 409,
  [Code.Unauthenticated]: 401,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.Unavailable]: 503,
  [Code.DeadlineExceeded]: 504,
  [Code.Unimplemented]: 501,
};

/** The HTTP status of a gRPC code. */
export function httpStatusOf(code: Code): number {
  return HTTP_STATUSES[code] ?? 500;
}

/** What \`extensions.code\` says to GraphQL clients for a gRPC code. */
export function graphqlCodeOf(code: Code): string {
  return GRAPHQL_CODES[code] ?? "INTERNAL_SERVER_ERROR";
}

/** A call of a service that failed. Its message is the service's own, made for clients. */
export class UpstreamError extends Error {
  readonly code: Code;
  readonly violations: readonly Violation[];
  /** Milliseconds after which the service wants to be asked again. */
  readonly retryAfterMs: number | undefined;
  /** What tells failures of one code apart, where the service says so. */
  readonly reason: string | undefined;

  constructor(code: Code, message: string, details: { readonly [K in keyof Details]?: Details[K] | undefined } = {}) {
    super(message);
    this.name = "UpstreamError";
    this.code = code;
    this.violations = details.violations ?? [];
    this.retryAfterMs = details.retryAfterMs;
    this.reason = details.reason;
  }

  static fromGrpc(error: ServiceError): UpstreamError {
    const [encoded] = error.metadata?.get("grpc-status-details-bin") ?? [];
    if (isBroken(error)) return new UpstreamError(Code.Unavailable, BROKEN);
    const message = isLocal(error) ? UNREACHABLE : decoded(error.details || error.message);
    const details = encoded instanceof Buffer ? detailsOf(encoded) : {};
    return new UpstreamError(error.code as number as Code, message, details);
  }

  /** Of services in this process. */
  static fromConnect(error: ConnectError): UpstreamError {
    const [badRequest] = error.findDetails(BadRequestSchema);
    const [retry] = error.findDetails(RetryInfoSchema);
    const [info] = error.findDetails(ErrorInfoSchema);
    const delay = retry?.retryDelay;
    return new UpstreamError(error.code, error.rawMessage, {
      violations: badRequest?.fieldViolations.map(({ field, description }) => ({ field, description })),
      retryAfterMs: delay === undefined ? undefined : Number(delay.seconds) * 1_000 + delay.nanos / 1e6,
      reason: info?.reason,
    });
  }

  get httpStatus(): number {
    return this.reason === STORAGE_FULL ? 507 : httpStatusOf(this.code);
  }

  /** For GraphQL clients; an unexpected error keeps its text for the log. */
  toGraphQL(): GraphQLError {
    const code = graphqlCodeOf(this.code);
    const internal = code === "INTERNAL_SERVER_ERROR";
    const violations = this.violations.map(named);
    const said = violations.length > 0 ? violations.map(sentence).join("; ") : this.message;
    return new GraphQLError(internal ? "Internal server error" : said, {
      extensions: {
        code,
        grpc: { code: this.code, status: grpcStatus[this.code] },
        ...(violations.length > 0 ? { violations } : {}),
        ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
        ...(this.reason === undefined ? {} : { reason: this.reason }),
      },
    });
  }
}

const BROKEN = "The connection to the service was interrupted; try again";

/** Whether it was the connection that failed and not the service: grpc-js gives many codes to that, and only one is retried. */
function isBroken({ details, code }: ServiceError): boolean {
  return code !== grpcStatus.UNAVAILABLE && TRANSPORT_FAILURES.test(details);
}
// The texts of grpc-js (subchannel-call.ts) for streams that ended without a status of the service; none is one of the service's.
const TRANSPORT_FAILURES =
  /^(?:Received RST_STREAM with code|Call cancelled$|Bandwidth exhausted|Stream refused by server|Protocol not secure enough$|Connection dropped)/;

/** The violation by the argument's name; a mutation's one reading is its arguments. */
function named({ field, description }: Violation): Violation {
  const inner = field.replace(/^(?:readings\[0\]|profile)\./, "");
  const argument = inner.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const rest = description.startsWith(`${inner} `) ? `${argument}${description.slice(inner.length)}` : description;
  return { field: argument, description: rest };
}

function sentence({ field, description }: Violation): string {
  return description.startsWith(`${field} `) ? description : `${field}: ${description}`;
}

/** Whether a result says that the service was not there: whoever subscribed should do so again. */
export function isUnavailable(result: object): boolean {
  const { errors } = result as { readonly errors?: readonly GraphQLError[] };
  return errors?.some(({ extensions }) => extensions?.code === GRAPHQL_CODES[Code.Unavailable]) ?? false;
}

/** A subscriber was too slow for what it watches. */
export class MissedError extends Error {
  constructor(field: string) {
    super(
      `${field}: values were missed because this subscriber read too slowly. Query for them, then subscribe again.`,
    );
    this.name = "MissedError";
  }
}

/** What a GraphQL client gets of any failure of a row; an unknown one is left to be masked and logged. */
export function toGraphQLError(error: unknown): unknown {
  if (error instanceof UpstreamError) return error.toGraphQL();
  if (error instanceof MissedError) return new GraphQLError(error.message, { extensions: { code: "MISSED" } });
  if (error instanceof RowRefusal) {
    const code = error.reason === "conflicting" ? "CONFLICT" : "BAD_USER_INPUT";
    return new GraphQLError(error.message, { extensions: { code, reason: error.reason, field: error.field } });
  }
  if (error instanceof UnknownEnumValue || error instanceof RangeError)
    return new GraphQLError(error.message, { extensions: { code: "BAD_USER_INPUT" } });
  return error;
}

/** Words of grpc-js itself, which tell of addresses and not of the call. */
const LOCAL =
  /No connection established|Name resolution failed|Connection dropped|RST_STREAM|Last error|\bE[A-Z]{4,}\b/;
const UNREACHABLE = "The platform's services are unavailable: try again";

function isLocal({ code, details, message }: ServiceError): boolean {
  return code === grpcStatus.UNAVAILABLE && LOCAL.test(details || message);
}

/** grpc-js undoes the percent-encoding of messages by decodeURI, which leaves these characters encoded. */
function decoded(details: string): string {
  return details.replace(/%(?:3B|2F|3F|3A|40|26|3D|2B|24|2C|23)/gi, decodeURIComponent);
}

const BAD_REQUEST = "google.rpc.BadRequest";
const RETRY_INFO = "google.rpc.RetryInfo";
const ERROR_INFO = "google.rpc.ErrorInfo";

// The messages of google/rpc that matter here, by their published field numbers.
const rpc = protobufjs.parse(`syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message BadRequest { message FieldViolation { string field = 1; string description = 2; } repeated FieldViolation field_violations = 1; }
  message ErrorInfo { string reason = 1; string domain = 2; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
`).root;
const Status = rpc.lookupType("google.rpc.Status");
const BadRequest = rpc.lookupType(BAD_REQUEST);
const RetryInfo = rpc.lookupType(RETRY_INFO);
const ErrorInfo = rpc.lookupType(ERROR_INFO);

interface Details {
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number | undefined;
  readonly reason: string | undefined;
}

function detailsOf(encodedStatus: Uint8Array): Details {
  const { details } = Status.decode(encodedStatus) as unknown as { details: { typeUrl: string; value: Uint8Array }[] };
  const valuesOf = (name: string) =>
    details.filter(({ typeUrl }) => typeUrl.endsWith(`/${name}`)).map(({ value }) => value);
  const [retry] = valuesOf(RETRY_INFO);
  const [info] = valuesOf(ERROR_INFO);
  return {
    reason: info === undefined ? undefined : (ErrorInfo.decode(info) as unknown as { reason: string }).reason,
    violations: valuesOf(BAD_REQUEST).flatMap(decodeViolations),
    retryAfterMs: retry === undefined ? undefined : decodeDelay(retry),
  };
}

function decodeViolations(encoded: Uint8Array): Violation[] {
  const { fieldViolations } = BadRequest.decode(encoded) as unknown as { fieldViolations: Violation[] };
  return fieldViolations.map(({ field, description }) => ({ field, description }));
}

function decodeDelay(encoded: Uint8Array): number {
  const { retryDelay } = RetryInfo.toObject(RetryInfo.decode(encoded), { longs: Number, defaults: true }) as {
    retryDelay: { seconds: number; nanos: number } | null;
  };
  return retryDelay === null ? 0 : retryDelay.seconds * 1_000 + retryDelay.nanos / 1e6;
}
