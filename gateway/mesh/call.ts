/** One call of a service, by gRPC or within the process: deadline, passed-on headers, cancellation, and errors that a client can act on. */
import { Code, ConnectError } from "@connectrpc/connect";
import { type CallOptions, type ClientReadableStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import { unaryCancels } from "./budget.ts";
import { MAX_RESPONSE } from "./channel.ts";
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
  /** Called with the token of the next page, where the row answers with the list alone and there is one. */
  readonly onNextPage?: ((token: string) => void) | undefined;
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
  for (const [name, value] of [...passedOn(headers), MAX_RESPONSE]) metadata.set(name, value);
  return metadata;
}

export type UnaryMethod = (
  request: Raw,
  metadata: Metadata,
  options: CallOptions,
  done: (error: ServiceError | ConnectError | null, response?: Raw) => void,
) => { cancel(): void };

/** Of all such calls of this process together: they share one or two connections. */
const CANCELS = unaryCancels();

/** A method of a gRPC connection, whose cancels wait until the connection bears them. */
export function withCancelBudget(method: UnaryMethod): UnaryMethod {
  return (request, metadata, options, done) => {
    let forget = () => {};
    const call = method(request, metadata, options, (error, response) => {
      forget();
      done(error, response);
    });
    const cancel = () => {
      forget = CANCELS.cancel(() => call.cancel());
    };
    return { cancel };
  };
}

/** @throws UpstreamError */
export function callUnary(method: UnaryMethod, request: Raw, context: CallContext): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const { signal } = context;
    const deadline = Date.now() + UNARY_DEADLINE_MS;
    const call = method(request, metadataOf(context), { deadline }, (error, response) => {
      signal?.removeEventListener("abort", cancel);
      if (error === null) resolve(response!);
      else reject(error instanceof ConnectError ? UpstreamError.fromConnect(error) : UpstreamError.fromGrpc(error));
    });
    const cancel = () => call.cancel();
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
  });
}

export interface StreamCall {
  readonly responses: ClientReadableStream<Raw>;
  /** Once; the service learns of it now or a little later. */
  cancel(): void;
}
export type StreamMethod = (request: Raw, metadata: Metadata) => StreamCall;

/** Ends every stream of a gateway that is about to stop, with an error after which clients come again. */
export type Ending = AbortSignal;

/**
 * The responses of a server stream, pulled one by one, so that a slow reader slows the service. Ending the iteration, or the
 * client's going, cancels the call, and that ends a pull under way.
 *
 * @throws UpstreamError where the service ends it with an error, UNAVAILABLE when the gateway is `ending`
 */
export function callStream(
  method: StreamMethod,
  request: Raw,
  context: CallContext,
  ending: Ending,
): AsyncIterableIterator<Raw> {
  if (ending.aborted) throw stopping();
  const call = method(request, metadataOf(context));
  const responses = call.responses[Symbol.asyncIterator]() as AsyncIterator<Raw>;
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    call.cancel();
    // A pull under way ends here: the call itself may end later.
    call.responses.destroy();
  };
  // The iterator reports errors to whoever pulls; this one is for those that come when nobody does.
  call.responses.on("error", () => undefined);
  ending.addEventListener("abort", end, { once: true });
  if (context.signal?.aborted) end();
  else context.signal?.addEventListener("abort", end, { once: true });
  call.responses.once("close", () => {
    context.signal?.removeEventListener("abort", end);
    ending.removeEventListener("abort", end);
  });
  return {
    async next() {
      try {
        return await responses.next();
      } catch (error) {
        if (ending.aborted) throw stopping();
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

function stopping(): UpstreamError {
  return new UpstreamError(Code.Unavailable, "The platform is shutting down; subscribe again");
}
