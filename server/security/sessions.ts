import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import type { Logger } from "../observe/logger.ts";
import type { ConsoleSessions } from "./console-sessions.ts";
import type { Principal } from "./principal.ts";
import type { Tokens } from "./tokens.ts";

/** A long call that ends with the credential that opened it. */
export interface OpenSession {
  /** Aborts with TelltaleError "unauthenticated". */
  readonly signal: AbortSignal;
  /** The call is over; may be called again. */
  readonly close: () => void;
}

export interface Sessions {
  /** Undefined for a principal whose credential never ends. */
  open(principal: Principal): OpenSession | undefined;
  close(): void;
}

interface Session {
  readonly principal: Principal;
  readonly controller: AbortController;
}

/** Together with the memory of the tokens: a revoked one loses its streams within four seconds. */
const checkEveryMs = 2_000;

/** Ends long calls when the credential that opened them is revoked or expires. */
export function createSessions(parts: {
  tokens: Pick<Tokens, "stillValid">;
  consoleSessions: Pick<ConsoleSessions, "isOpen">;
  clock: Clock;
  logger: Logger;
}): Sessions {
  const { tokens, consoleSessions, clock, logger } = parts;
  const open = new Set<Session>();

  const valid = async ({ expiresAtMs, tokenId, sessionId }: Principal) => {
    if (expiresAtMs !== undefined && expiresAtMs <= clock.nowUs() / 1_000) return false;
    if (tokenId !== undefined && !(await tokens.stillValid(tokenId))) return false;
    return sessionId === undefined || consoleSessions.isOpen(sessionId);
  };
  const check = async () => {
    const verdicts = new Map<Principal, boolean>();
    for (const { principal } of open) {
      if (!verdicts.has(principal)) verdicts.set(principal, await valid(principal));
    }
    for (const { principal, controller } of open) {
      if (verdicts.get(principal) === false) {
        controller.abort(
          new TelltaleError("unauthenticated", "The token has expired or was revoked, or the session has ended"),
        );
      }
    }
  };
  let running = false;
  const timer = setInterval(() => {
    if (running || open.size === 0) return;
    running = true;
    check()
      // The next round tries again; meanwhile the streams go on, as calls with a token seen before do.
      .catch((error: unknown) => logger.warn({ err: error }, "tokens of open streams could not be checked"))
      .finally(() => {
        running = false;
      });
  }, checkEveryMs);
  timer.unref();

  return {
    open(principal) {
      const { tokenId, expiresAtMs, sessionId } = principal;
      if (tokenId === undefined && expiresAtMs === undefined && sessionId === undefined) return undefined;
      const session = { principal, controller: new AbortController() };
      open.add(session);
      return { signal: session.controller.signal, close: () => void open.delete(session) };
    },
    close: () => clearInterval(timer),
  };
}
