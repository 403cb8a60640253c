/** What the answer of a receiver over HTTP means. */
import type { Sent } from "../channel.ts";
import type { Answer } from "./post.ts";
import { reasonOf } from "./reason.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Beside 5xx: the receiver was too slow, too early or asked too often. All other refusals are final. */
const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

export interface Judgement {
  readonly kind: Sent["kind"];
  readonly afterMs?: number | undefined;
}

/** What an answer means. */
export function outcome(
  { status, headers, text, isCut }: Answer,
  judged: Judgement | undefined,
  { secrets, nowMs }: { secrets: readonly string[]; nowMs: number },
): Sent {
  const { location } = headers;
  if (status >= 300 && status < 400) {
    const where = location !== undefined && URL.canParse(location) ? new URL(location).origin : "elsewhere";
    return { kind: "failed", reason: `answered ${status}, which leads to ${where}: redirects are not followed` };
  }
  const { kind, afterMs = retryAfterMs(headers["retry-after"], nowMs) } = judged ?? { kind: usualKind(status) };
  if (kind === "ok") return { kind };
  const reason = reasonOf(`answered ${status}${text === "" ? "" : `: ${text}`}`, secrets, isCut);
  if (kind === "failed") return { kind, reason };
  return { kind, reason, ...(afterMs === undefined ? {} : { afterMs }) };
}

function usualKind(status: number): Sent["kind"] {
  if (status >= 200 && status < 300) return "ok";
  return status >= 500 || RETRIED_STATUSES.has(status) ? "retry" : "failed";
}
