/** How the console calls the platform's services, on this page's own origin. Each service has a module beside this: a page loads those it calls. */
import type { DescService } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { codeFromString } from "@connectrpc/connect/protocol-connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { FIRST_ANSWERS, type FirstAnswers, SESSION_HEADER } from "../../formats/console-page.ts";
import { FirstAnswerStore } from "./first-answers.ts";

/** Also where the page comes from the service worker, or from a gateway that could not ask. */
const NONE: FirstAnswers = { answers: [] };
/** A page that has asked for nothing by then shows what is, not what was. */
const FIRST_COUNT_MS = 10_000;

const element = document.getElementById(FIRST_ANSWERS);
const first = new FirstAnswerStore(element === null ? NONE : JSON.parse(element.textContent));
setTimeout(() => first.forget(), FIRST_COUNT_MS);

/** Called with the error of each call that failed, also in the middle of a stream. */
const listeners = new Set<(error: unknown) => void>();

export function onCallError(listener: (error: unknown) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The session that the page shows; "" where nobody signs in, or it is not known yet. */
let session = "";

/** From now on calls count in this session alone: the gateway refuses them once the browser is signed in as somebody else. */
export function bindTo(id: string): void {
  session = id;
}

/** Headers of a call that was asked for now, whenever it is made. */
export function boundHeaders(): Record<string, string> {
  return session === "" ? {} : { [SESSION_HEADER]: session };
}

const bind: Interceptor = (next) => (request) => {
  if (session !== "" && !request.header.has(SESSION_HEADER)) request.header.set(SESSION_HEADER, session);
  return next(request);
};

const tell: Interceptor = (next) => async (request) => {
  const askedIn = request.header.get(SESSION_HEADER) ?? "";
  try {
    const response = await next(request);
    return response.stream ? { ...response, message: told(response.message, askedIn) } : response;
  } catch (error) {
    tellListeners(error, askedIn);
    throw error;
  }
};

async function* told<T>(messages: AsyncIterable<T>, askedIn: string): AsyncIterable<T> {
  try {
    yield* messages;
  } catch (error) {
    tellListeners(error, askedIn);
    throw error;
  }
}

/** What was asked for in another session says nothing of this one. */
function tellListeners(error: unknown, askedIn: string): void {
  if (askedIn === session) for (const listener of listeners) listener(error);
}

/** Browsers take no more than 64 KiB in all of what is to outlive its page. */
const MAX_KEPT_BYTES = 8 * 1024;

/** What is asked for while the page goes arrives all the same: any other call ends with its page. */
async function send(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const { body } = init;
  const headers = new Headers(init.headers);
  const isUnary = headers.get("content-type") === "application/proto";
  if (!isUnary || !(body instanceof Uint8Array)) return fetch(input, init);
  const found = first.take(new URL(String(input)).pathname, body, headers.get(SESSION_HEADER) ?? "");
  return found ?? fetch(input, { ...init, keepalive: document.hidden && body.length <= MAX_KEPT_BYTES });
}

const transport = createConnectTransport({
  baseUrl: location.origin,
  useBinaryFormat: true,
  interceptors: [bind, tell],
  fetch: send,
});

export function client<S extends DescService>(service: S): Client<S> {
  return createClient(service, transport);
}

/**
 * A call by JSON, for what every page asks first: the generated code of its service would be read before anything is shown. It is bound to no
 * session: it finds out whose it is.
 *
 * @throws ConnectError
 */
export async function callByJson<T>(path: string): Promise<{ readonly answer: T; readonly session: string }> {
  const body = new TextEncoder().encode("{}");
  const headers = { "content-type": "application/json", "connect-protocol-version": "1" };
  try {
    const response = first.take(path, body) ?? (await fetch(path, { method: "POST", headers, body }));
    if (!response.ok) throw await refusalOf(response);
    return { answer: (await response.json()) as T, session: response.headers.get(SESSION_HEADER) ?? "" };
  } catch (cause) {
    if (cause instanceof ConnectError) throw cause;
    // Without an answer a browser says no more than that there was none.
    throw new ConnectError("", Code.Unavailable, undefined, [], cause);
  }
}

async function refusalOf(response: Response): Promise<ConnectError> {
  const said = (await response.json().catch(() => ({}))) as { code?: string; message?: string };
  return new ConnectError(said.message ?? "", codeFromString(said.code ?? "") ?? Code.Unavailable);
}
