import type { Interceptor } from "@connectrpc/connect";
import { either, until } from "../../lib/signals.ts";

/**
 * Ends streams, with the signal's reason, as soon as the server is about to close. Calls with one response are let to their end:
 * what they began is being saved.
 */
export function endingInterceptor(ending: AbortSignal): Interceptor {
  return (next) => async (request) => {
    if (!request.stream) return next(request);
    const { signal, leave } = either(request.signal, ending);
    try {
      const response = await next({ ...request, signal });
      return response.stream ? { ...response, message: until(response.message, leave) } : response;
    } catch (error) {
      leave();
      throw error;
    }
  };
}
