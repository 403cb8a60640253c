import type { Interceptor } from "@connectrpc/connect";
import { either, onAbort, until } from "../../lib/signals.ts";
import type { Sessions } from "../../security/sessions.ts";
import { principalKey } from "../principal.ts";

/** Ends long calls when the credential that opened them is revoked or expires. */
export function sessionsInterceptor(sessions: Pick<Sessions, "open">): Interceptor {
  return (next) => async (request) => {
    const session = request.stream ? sessions.open(request.contextValues.get(principalKey)) : undefined;
    if (!request.stream || session === undefined) return next(request);
    const { signal, leave } = either(request.signal, session.signal);
    const close = () => {
      offSignal();
      leave();
      session.close();
    };
    // A caller that goes before the first answer leaves a generator that was never begun, and its `finally` never runs.
    let offSignal = () => {};
    offSignal = onAbort(signal, () => close());
    try {
      const response = await next({ ...request, signal });
      return response.stream ? { ...response, message: until(response.message, close) } : response;
    } catch (error) {
      close();
      throw error;
    }
  };
}
