import type { DescMethod } from "@bufbuild/protobuf";
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import type { Metrics } from "../../observe/metrics.ts";
import { statusName } from "./tracing.ts";

/** Of a method, as a label: a stream ends with its network or its client's deadline, which a single call should not. */
export function kindOf({ methodKind }: Pick<DescMethod, "methodKind">): "unary" | "stream" {
  return methodKind === "unary" ? "unary" : "stream";
}

/** Counts calls by method, kind and code, and times the unary ones. */
export function metricsInterceptor({ rpcs, rpcSeconds }: Pick<Metrics, "rpcs" | "rpcSeconds">): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const kind = kindOf(request.method);
    const started = performance.now();
    const count = (error?: unknown) =>
      rpcs.inc({ method, code: statusName(error === undefined ? undefined : ConnectError.from(error).code), kind });
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
