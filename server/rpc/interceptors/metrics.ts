import { ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Metrics } from "../../observe/metrics.ts";
import { statusName } from "./tracing.ts";

/** Counts calls by method and code, and times the unary ones. */
export function metricsInterceptor({ rpcs, rpcSeconds }: Pick<Metrics, "rpcs" | "rpcSeconds">): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const started = performance.now();
    const count = (error?: unknown) =>
      rpcs.inc({ method, code: statusName(error === undefined ? undefined : ConnectError.from(error).code) });
    try {
      const response = await next(request);
      if (response.stream) return { ...response, message: counted(response.message, count) };
      rpcSeconds.observe({ method }, (performance.now() - started) / 1_000);
      count();
      return response;
    } catch (error) {
      count(error);
      throw error;
    }
  };
}

async function* counted<T>(messages: AsyncIterable<T>, count: (error?: unknown) => void): AsyncIterable<T> {
  let failure: unknown;
  try {
    yield* messages;
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    count(failure);
  }
}
