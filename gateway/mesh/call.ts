/** One call of a gRPC service with grpc-js: deadline, passed-on headers, cancellation, and errors that a client can act on. */
import { type CallOptions, type ClientReadableStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import { UpstreamError } from "./errors.ts";
import type { Raw } from "./tables.ts";

/** Long enough for a batch to settle behind a busy database; a client that waits longer has given up. */
export const UNARY_DEADLINE_MS = 10_000;

/** What of a request concerns the services behind. */
export interface CallContext {
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Ends the call when the client has gone. */
  readonly signal?: AbortSignal | undefined;
}

/** Set by the gateway, never taken from a caller: the caller's address, signed. */
export const CLIENT_HEADER = "telltale-client";

/** Who asks, from where, which trace the call belongs to, and how the caller names it. Nothing else of a request passes the gateway. */
const PASSED_ON = ["authorization", CLIENT_HEADER, "traceparent", "tracestate", "x-request-id"] as const;

export function passedOn(headers: CallContext["headers"]): [string, string][] {
  return PASSED_ON.flatMap((name): [string, string][] => {
    const value = headers[name];
    return value === undefined ? [] : [[name, value]];
  });
}

function metadataOf({ headers }: CallContext): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of passedOn(headers)) metadata.set(name, value);
  return metadata;
}

export type UnaryMethod = (
  request: Raw,
  metadata: Metadata,
  options: CallOptions,
  done: (error: ServiceError | null, response?: Raw) => void,
) => { cancel(): void };

/** @throws UpstreamError */
export function callUnary(method: UnaryMethod, request: Raw, context: CallContext): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const { signal } = context;
    const call = method(
      request,
      metadataOf(context),
      { deadline: Date.now() + UNARY_DEADLINE_MS },
      (error, response) => {
        signal?.removeEventListener("abort", cancel);
        if (error === null) resolve(response!);
        else reject(UpstreamError.fromGrpc(error));
      },
    );
    const cancel = () => call.cancel();
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
  });
}

export type StreamMethod = (request: Raw, metadata: Metadata) => ClientReadableStream<Raw>;

/**
 * The responses of a server stream, pulled one by one, so that a slow reader slows the service. Ending the iteration, or the
 * client's going, cancels the call, and that ends a pull under way.
 *
 * @throws UpstreamError where the service ends it with an error
 */
export function callStream(method: StreamMethod, request: Raw, context: CallContext): AsyncIterableIterator<Raw> {
  const call = method(request, metadataOf(context));
  const responses = call[Symbol.asyncIterator]() as AsyncIterator<Raw>;
  let ended = false;
  const end = () => {
    ended = true;
    call.cancel();
  };
  // The iterator reports errors to whoever pulls; this one is for those that come when nobody does.
  call.on("error", () => undefined);
  if (context.signal?.aborted) end();
  else context.signal?.addEventListener("abort", end, { once: true });
  call.once("close", () => context.signal?.removeEventListener("abort", end));
  return {
    async next() {
      try {
        return await responses.next();
      } catch (error) {
        if (ended) return { done: true, value: undefined };
        throw UpstreamError.fromGrpc(error as ServiceError);
      }
    },
    async return() {
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
