/**
 * The few kinds of failure that cross a module's border. One map (`api/errors.ts`) turns them into gRPC codes.
 * `cause` is for the log and never reaches a client.
 */
export const ERROR_KINDS = [
  "invalid", // the caller must change the request
  "not_found",
  "exists", // what is to be made is there already
  "unauthenticated",
  "forbidden",
  "exhausted", // a limit or quota; try later or send less
  "unavailable", // a dependency is unavailable; the same call may succeed later
  "conflict", // the state does not allow it
  "unimplemented",
  "internal",
] as const;
export type ErrorKind = (typeof ERROR_KINDS)[number];

export interface FieldViolation {
  /** Path of the field, for example "readings[3].sensor_id". */
  readonly field: string;
  /** What was wrong, with which value, and what is wanted. */
  readonly description: string;
}

/** The reason of "exhausted" where there is no room on a disk. */
export const STORAGE_FULL = "STORAGE_FULL";
/** Nobody makes room on a disk within a second. */
const FULL_RETRY_MS = 10_000;

export class TelltaleError extends Error {
  readonly kind: ErrorKind;
  readonly violations: readonly FieldViolation[];
  /** Milliseconds after which a retry makes sense; only for "exhausted" and "unavailable". */
  readonly retryAfterMs: number | undefined;
  /** For programs that tell failures of a kind apart, sent as google.rpc.ErrorInfo, for example STORAGE_FULL. */
  readonly reason: string | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    options: { cause?: unknown; violations?: readonly FieldViolation[]; retryAfterMs?: number; reason?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TelltaleError";
    this.kind = kind;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.reason = options.reason;
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

/** What is refused while there is no room, `why` being the sentence that says so. */
export function storageFull(why: string, cause?: unknown): TelltaleError {
  return new TelltaleError("exhausted", `${why}: try again later`, {
    retryAfterMs: FULL_RETRY_MS,
    reason: STORAGE_FULL,
    cause,
  });
}
