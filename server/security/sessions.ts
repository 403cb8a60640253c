import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Clock } from "../clock.ts";
import type { Logger } from "../observe/logger.ts";
import { type Principal, principalKey } from "../rpc/principal.ts";
import type { Tokens } from "./tokens.ts";

export interface Sessions {
  readonly interceptor: Interceptor;
  close(): void;
}

interface Session {
  readonly principal: Principal;
  readonly controller: AbortController;
}

/** Together with the memory of the tokens: a revoked one loses its streams within four seconds. */
const checkEveryMs = 2_000;

/** Ends long calls when the credential that opened them is revoked or expires. */
export function createSessions({ tokens, clock, logger }: { tokens: Tokens; clock: Clock; logger: Logger }): Sessions {
  const open = new Set<Session>();

  const valid = async ({ expiresAtMs, tokenId }: Principal) => {
    if (expiresAtMs !== undefined && expiresAtMs <= clock.nowUs() / 1_000) return false;
    return tokenId === undefined || (await tokens.stillValid(tokenId));
  };
  const check = async () => {
    const verdicts = new Map<Principal, boolean>();
    for (const { principal } of open) {
      if (!verdicts.has(principal)) verdicts.set(principal, await valid(principal));
    }
    for (const { principal, controller } of open) {
      if (verdicts.get(principal) === false) {
        controller.abort(new ConnectError("The token has expired or was revoked", Code.Unauthenticated));
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
    interceptor: (next) => async (request) => {
      const principal = request.contextValues.get(principalKey);
      const ends = principal.tokenId !== undefined || principal.expiresAtMs !== undefined;
      if (!request.stream || !ends) return next(request);
      const session = { principal, controller: new AbortController() };
      open.add(session);
      const close = () => open.delete(session);
      try {
        const signal = AbortSignal.any([request.signal, session.controller.signal]);
        const response = await next({ ...request, signal });
        return response.stream ? { ...response, message: until(response.message, close) } : response;
      } catch (error) {
        close();
        throw error;
      }
    },
    close: () => clearInterval(timer),
  };
}

async function* until<T>(messages: AsyncIterable<T>, ended: () => void): AsyncIterable<T> {
  try {
    yield* messages;
  } finally {
    ended();
  }
}
