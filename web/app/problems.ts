/** Errors as sentences for people: what failed, and what to do. */
import { Code, ConnectError } from "@connectrpc/connect";

export interface Problem {
  readonly title: string;
  readonly text: string;
  /** Whether doing the same again may help. */
  readonly again: boolean;
}

const AGAIN: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Aborted,
  Code.Internal,
  Code.Unknown,
]);

export function problemOf(error: unknown, what: string): Problem {
  const { code, rawMessage } = ConnectError.from(error);
  return { title: `${what}: ${titleOf(code)}`, text: textOf(code, rawMessage), again: AGAIN.has(code) };
}

function titleOf(code: Code): string {
  if (code === Code.NotFound) return "not found";
  if (code === Code.PermissionDenied) return "not allowed";
  if (code === Code.Unauthenticated) return "not signed in";
  if (code === Code.InvalidArgument || code === Code.FailedPrecondition) return "refused";
  if (code === Code.ResourceExhausted) return "too much at once";
  return "the platform did not answer";
}

function textOf(code: Code, message: string): string {
  const said = message === "" ? "" : `${message.replace(/[^.?!]$/, "$&.")} `;
  if (code === Code.PermissionDenied) return `${said}Ask an administrator for a token that may.`;
  if (code === Code.Unauthenticated) return `${said}Sign in again.`;
  if (code === Code.ResourceExhausted) return `${said}Wait a moment, then try again.`;
  if (code === Code.Unavailable || code === Code.Unknown || code === Code.DeadlineExceeded)
    return `${said}Check that the platform runs and that the network reaches it; the page goes on by itself when it does.`;
  return said.trim();
}

/** Whether a call ended because the page no longer wanted its answer. */
export function isCanceled(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Canceled;
}
