/**
 * The few kinds of failure that cross a module's border. One map (`rpc/errors.ts`) turns them into gRPC codes.
 * `cause` is for the log and never reaches a client.
 */
export type ErrorKind =
  | "invalid" // the caller must change the request
  | "not_found"
  | "unauthenticated"
  | "forbidden"
  | "exhausted" // a limit or quota; try later or send less
  | "unavailable" // a part is out of reach; the same call may succeed later
  | "conflict" // the state does not allow it
  | "unimplemented"
  | "internal";

export interface FieldViolation {
  /** Path of the field, for example "readings[3].sensor_id". */
  readonly field: string;
  /** What was wrong, with which value, and what is wanted. */
  readonly description: string;
}

export class TelltaleError extends Error {
  readonly kind: ErrorKind;
  readonly violations: readonly FieldViolation[];
  /** Milliseconds after which a retry makes sense; only for "exhausted" and "unavailable". */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    options: { cause?: unknown; violations?: readonly FieldViolation[]; retryAfterMs?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TelltaleError";
    this.kind = kind;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same request may succeed later without a change. */
  get retryable(): boolean {
    return this.kind === "unavailable" || this.kind === "exhausted";
  }
}

/** Refuses to start: printed as one sentence, exit code 1. */
export class StartupError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "StartupError";
  }
}
