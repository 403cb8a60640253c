/** How the console calls the platform's services, on this page's own origin. Each service has a module beside this: a page loads those it calls. */
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";

/** Called with the error of each call that failed, also in the middle of a stream. */
const listeners = new Set<(error: unknown) => void>();

export function onCallError(listener: (error: unknown) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const tell: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: told(response.message) } : response;
  } catch (error) {
    tellListeners(error);
    throw error;
  }
};

async function* told<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    tellListeners(error);
    throw error;
  }
}

function tellListeners(error: unknown): void {
  for (const listener of listeners) listener(error);
}

/** Browsers take no more than 64 KiB in all of what is to outlive its page. */
const MAX_KEPT_BYTES = 8 * 1024;

/** What is asked for while the page goes arrives all the same: any other call ends with its page. */
function send(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const { body, headers } = init;
  const isUnary = new Headers(headers).get("content-type") === "application/proto";
  const isShort = body instanceof Uint8Array && body.length <= MAX_KEPT_BYTES;
  return fetch(input, { ...init, keepalive: document.hidden && isUnary && isShort });
}

const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: true,
  interceptors: [tell],
  fetch: send,
});

export function client<S extends DescService>(service: S): Client<S> {
  return createClient(service, transport);
}
