import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";

const headers: TextMapGetter<Headers> = {
  get: (carrier, key) => carrier.get(key) ?? undefined,
  keys: (carrier) => [...carrier.keys()],
};

// The convention's list of codes that are a server's fault; the others are the caller's.
const serverFaults = new Set([
  Code.Unknown,
  Code.DeadlineExceeded,
  Code.Unimplemented,
  Code.Internal,
  Code.Unavailable,
  Code.DataLoss,
]);

/**
 * A server span per call, child of the caller's `traceparent`, named and described by OpenTelemetry's RPC conventions. A long
 * stream is one span; its batches get their own from the service. Leave it out of the chain while tracing is off.
 */
export function tracingInterceptor(tracer: Tracer = trace.getTracer("telltale")): Interceptor {
  return (next) => async (request) => {
    const method = `${request.service.typeName}/${request.method.name}`;
    const parent = propagation.extract(context.active(), request.header, headers);
    const attributes = {
      "rpc.system.name": systemOf(request.header),
      "rpc.method": method,
    };
    const span = tracer.startSpan(method, { kind: SpanKind.SERVER, attributes }, parent);
    const within = trace.setSpan(parent, span);
    try {
      const response = await context.with(within, () => next(request));
      if (response.stream) return { ...response, message: traced(response.message, within, span) };
      end(span, undefined);
      return response;
    } catch (error) {
      end(span, error);
      throw error;
    }
  };
}

/** Runs each step of a generator within the span's context, and ends the span with the stream. */
async function* traced<T>(messages: AsyncIterable<T>, within: Context, span: Span): AsyncIterable<T> {
  const iterator = messages[Symbol.asyncIterator]();
  let failure: unknown;
  try {
    for (;;) {
      const step = await context.with(within, () => iterator.next());
      if (step.done) return;
      yield step.value;
    }
  } catch (error) {
    failure = error;
    throw error;
  } finally {
    end(span, failure);
    await context.with(within, () => iterator.return?.());
  }
}

function end(span: Span, error: unknown): void {
  const code = error === undefined ? undefined : ConnectError.from(error).code;
  span.setAttribute("rpc.status_code", statusName(code));
  if (code !== undefined && serverFaults.has(code)) {
    span.setAttribute("error.type", statusName(code));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/** gRPC's spelling: "OK", "NOT_FOUND". */
export function statusName(code: Code | undefined): string {
  if (code === undefined) return "OK";
  return (Code[code] ?? "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

function systemOf(header: Headers): string {
  return header.get("content-type")?.startsWith("application/grpc") ? "grpc" : "connectrpc";
}
