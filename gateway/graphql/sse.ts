/**
 * Subscriptions by server-sent events, by the "distinct connections" mode of the graphql-sse protocol. A subscription that is over
 * says `complete`. One that was interrupted (UNAVAILABLE) ends without it, after a last event that has the error: that is what
 * graphql-sse and EventSource take as a reason to subscribe again.
 */
import { isUnavailable } from "../mesh/errors.ts";

/** Proxies end a connection that is silent for longer. */
const PING_MS = 12_000;

const HEADERS = {
  "content-type": "text/event-stream",
  connection: "keep-alive",
  "cache-control": "no-cache",
  "content-encoding": "none",
};

/** Of a subscription: its execution results, or the one result of a subscription that did not begin. */
export type Results = AsyncIterable<object> | object;

/** Mesh's own kind of web API, which differs from Node's. */
type FetchApi = Pick<typeof globalThis, "Response" | "ReadableStream">;

export function eventResponse(results: Results, fetchApi: FetchApi): Response {
  return new fetchApi.Response(eventStream(results, fetchApi), { headers: HEADERS });
}

function eventStream(results: Results, { ReadableStream }: FetchApi): ReadableStream<Uint8Array> {
  const iterator = iteratorOf(results);
  const text = new TextEncoder();
  let ping: NodeJS.Timeout | undefined;
  const end = async () => {
    clearInterval(ping);
    await iterator.return?.();
  };
  return new ReadableStream({
    start(controller) {
      // The headers go out with the first byte.
      controller.enqueue(text.encode(":\n\n"));
      ping = setInterval(() => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(text.encode(":\n\n"));
      }, PING_MS);
    },
    async pull(controller) {
      const { done, value } = await iterator.next();
      if (done) controller.enqueue(text.encode("event: complete\ndata:\n\n"));
      else controller.enqueue(text.encode(`event: next\ndata: ${JSON.stringify(value)}\n\n`));
      if (!done && !isUnavailable(value)) return;
      await end();
      controller.close();
    },
    cancel: end,
  });
}

function iteratorOf(results: Results): AsyncIterator<object> {
  return Symbol.asyncIterator in results ? results[Symbol.asyncIterator]() : alone(results);
}

async function* alone(result: object): AsyncGenerator<object> {
  yield result;
}
