/** Errors of the services as outsiders see them: one map from gRPC codes to GraphQL codes and HTTP statuses. */
import { Code } from "@connectrpc/connect";
import { status as grpcStatus, type ServiceError } from "@grpc/grpc-js";
import { GraphQLError } from "graphql";
import protobufjs from "protobufjs";
import { UnknownEnumValue } from "./map.ts";
import { RowRefusal } from "./tables.ts";

export interface Violation {
  readonly field: string;
  readonly description: string;
}

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

/** A call of a service that failed. Its message is the service's own, made for clients. */
export class UpstreamError extends Error {
  readonly code: Code;
  readonly violations: readonly Violation[];
  /** Milliseconds after which the service wants to be asked again. */
  readonly retryAfterMs: number | undefined;

  constructor(code: Code, message: string, violations: readonly Violation[] = [], retryAfterMs?: number) {
    super(message);
    this.name = "UpstreamError";
    this.code = code;
    this.violations = violations;
    this.retryAfterMs = retryAfterMs;
  }

  static fromGrpc(error: ServiceError): UpstreamError {
    const [encoded] = error.metadata?.get("grpc-status-details-bin") ?? [];
    const { violations, retryAfterMs } = encoded instanceof Buffer ? detailsOf(encoded) : nothing;
    const message = decoded(error.details || error.message);
    return new UpstreamError(error.code as number as Code, message, violations, retryAfterMs);
  }

  get httpStatus(): number {
    return HTTP_STATUSES[this.code] ?? 500;
  }

  /** For GraphQL clients; an unexpected error keeps its text for the log. */
  toGraphQL(): GraphQLError {
    const code = GRAPHQL_CODES[this.code] ?? "INTERNAL_SERVER_ERROR";
    const internal = code === "INTERNAL_SERVER_ERROR";
    const violations = this.violations.map(named);
    const said = violations.length > 0 ? violations.map(sentence).join("; ") : this.message;
    return new GraphQLError(internal ? "Internal server error" : said, {
      extensions: {
        code,
        grpc: { code: this.code, status: grpcStatus[this.code] },
        ...(violations.length > 0 ? { violations } : {}),
        ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      },
    });
  }
}

/** The violation by the argument's name; a mutation's one reading is its arguments. */
function named({ field, description }: Violation): Violation {
  const inner = field.replace(/^readings\[0\]\./, "");
  const argument = inner.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const rest = description.startsWith(`${inner} `) ? `${argument}${description.slice(inner.length)}` : description;
  return { field: argument, description: rest };
}

function sentence({ field, description }: Violation): string {
  return description.startsWith(`${field} `) ? description : `${field}: ${description}`;
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

/** What a GraphQL client is told of any failure of a row; an unknown one is left to be masked and logged. */
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

/** grpc-js undoes the percent-encoding of messages by decodeURI, which leaves these characters encoded. */
function decoded(details: string): string {
  return details.replace(/%(?:3B|2F|3F|3A|40|26|3D|2B|24|2C|23)/gi, decodeURIComponent);
}

const BAD_REQUEST = "google.rpc.BadRequest";
const RETRY_INFO = "google.rpc.RetryInfo";

// The messages of google/rpc that matter here, by their published field numbers.
const rpc = protobufjs.parse(`syntax = "proto3"; package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message BadRequest { message FieldViolation { string field = 1; string description = 2; } repeated FieldViolation field_violations = 1; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
  message RetryInfo { Duration retry_delay = 1; }
`).root;
const Status = rpc.lookupType("google.rpc.Status");
const BadRequest = rpc.lookupType(BAD_REQUEST);
const RetryInfo = rpc.lookupType(RETRY_INFO);

interface Details {
  readonly violations: readonly Violation[];
  readonly retryAfterMs: number | undefined;
}
const nothing: Details = { violations: [], retryAfterMs: undefined };

function detailsOf(encodedStatus: Uint8Array): Details {
  const { details } = Status.decode(encodedStatus) as unknown as { details: { typeUrl: string; value: Uint8Array }[] };
  const valuesOf = (name: string) =>
    details.filter(({ typeUrl }) => typeUrl.endsWith(`/${name}`)).map(({ value }) => value);
  const [retry] = valuesOf(RETRY_INFO);
  return {
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
