/**
 * Unary calls from within this process: through the same gate, the same interceptors and the same services as calls that come by
 * the listener, without HTTP, frames and encoding in between. They need no bound of their own: whoever hands them over (the
 * listener's short path, the gateway) bounds its callers' connections and bodies, and the interceptors queue and count them.
 */
import { create, type DescMessage, type DescMethod, type DescMethodUnary, type Message } from "@bufbuild/protobuf";
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createContextValues,
  createMethodImplSpec,
  createServiceImplSpec,
  type HandlerContext,
  type Interceptor,
  type MethodImplSpec,
  type UnaryRequest,
} from "@connectrpc/connect";
import { orAbort } from "../lib/signals.ts";
import type { Peer } from "../security/principal.ts";
import { callSignal } from "./call-signal.ts";
import { toConnectError } from "./errors.ts";
import { peerKey } from "./principal.ts";

/** What a caller says beside its message. */
export interface InProcessOptions {
  readonly headers: Headers;
  /** Aborts when the caller is gone, or the call is to be cut off. */
  readonly signal: AbortSignal;
  /** Undefined: without a deadline. */
  readonly timeoutMs: number | undefined;
  /** The connection and the address that it came by; absent: this process. */
  readonly from?: { readonly peer: Peer; readonly url: string };
}

/** Rejects with ConnectError, as a client's call does. A message that is a function is read once the gate lets the call in. */
export type InProcessCall = (
  method: DescMethodUnary,
  message: Message | (() => Promise<Message>),
  options: InProcessOptions,
) => Promise<Message>;

export interface InProcessServer {
  readonly routes: (router: ConnectRouter) => void;
  /** Outermost first; the same objects as the listener's, since they count and queue. */
  readonly interceptors: readonly Interceptor[];
  readonly gate: (context: HandlerContext) => Promise<void>;
}

type Implementation = (message: Message, context: HandlerContext) => unknown;
type Run = (request: UnaryRequest) => Promise<{ readonly message: Message }>;

/** For the gate and the services: it is no place of anybody's. */
const URL_BASE = "http://in-process/";

export function createInProcessCall({ routes, interceptors, gate }: InProcessServer): InProcessCall {
  const runs = new Map<DescMethod, Run>();
  for (const [method, implementation] of implementationsOf(routes)) {
    const innermost: Run = async (request) => {
      const answer = await implementation(request.message as Message, contextOf(request));
      return { message: create(method.output as DescMessage, answer as Message), stream: false } as never;
    };
    const chained = interceptors.reduceRight((next, interceptor) => interceptor(next as never) as never, innermost);
    runs.set(method, chained);
  }
  return async (method, message, options) => {
    const run = runs.get(method);
    if (run === undefined) throw new ConnectError(`${method.name} is not served here`, Code.Unimplemented);
    const { signal, leave } = callSignal(options.signal, options.timeoutMs);
    try {
      const request = requestOf(method, options, signal);
      // What is refused here is never read.
      await orAbort(gate(contextOf(request)), signal);
      const body = typeof message === "function" ? await orAbort(message(), signal) : message;
      return (await orAbort(run({ ...request, message: body } as UnaryRequest), signal)).message;
    } catch (error) {
      throw toConnectError(signal.aborted ? signal.reason : error);
    } finally {
      leave();
    }
  };
}

/** The unary methods that the routes serve. */
function implementationsOf(routes: InProcessServer["routes"]): [DescMethod, Implementation][] {
  const found: [DescMethod, Implementation][] = [];
  const add = ({ kind, method, impl }: MethodImplSpec) => {
    if (kind === "unary") found.push([method, impl as Implementation]);
  };
  const router: ConnectRouter = {
    handlers: [],
    rpc(method, implementation) {
      add(createMethodImplSpec(method, implementation));
      return router;
    },
    service(service, implementation) {
      Object.values(createServiceImplSpec(service, implementation).methods).forEach(add);
      return router;
    },
  };
  routes(router);
  return found;
}

function requestOf(
  method: DescMethodUnary,
  { headers: header, from }: InProcessOptions,
  signal: AbortSignal,
): Omit<UnaryRequest, "message"> {
  const contextValues = createContextValues();
  if (from !== undefined) contextValues.set(peerKey, from.peer);
  const url = from?.url ?? `${URL_BASE}${method.parent.typeName}/${method.name}`;
  return {
    ...{ stream: false, service: method.parent, method, header, signal },
    ...{ requestMethod: "POST", url, contextValues },
  } as Omit<UnaryRequest, "message">;
}

function contextOf(request: Omit<UnaryRequest, "message">): HandlerContext {
  const { service, method, header, signal, url, requestMethod, contextValues } = request;
  return {
    ...{ service, method, signal, url, requestMethod, values: contextValues },
    ...{ requestHeader: header, responseHeader: new Headers(), responseTrailer: new Headers() },
    ...{ protocolName: "connect", timeoutMs: () => undefined },
  };
}
