/** What the two transports of subscriptions (server-sent events and websockets) share. */
import type { GatewayPlugin } from "@graphql-hive/gateway-runtime";
import { encode } from "../compress.ts";
import { eventResponse } from "./sse.ts";

export interface Live {
  /** Ends all subscriptions: the gateway is about to stop. */
  readonly ending: AbortSignal;
  /** Requests that are subscriptions, which is known once Mesh has read them. */
  readonly requests: WeakSet<Request>;
}

/** Marks subscriptions, and answers those by HTTP with our event stream. */
export function subscriptionsPlugin({ requests }: Live): GatewayPlugin {
  return {
    onSubscribe({ args }) {
      const { request } = args.contextValue as { request?: Request };
      if (request !== undefined) requests.add(request);
    },
    onResultProcess({ request, result, setResultProcessor }) {
      if (!requests.has(request)) return;
      const events = Symbol.asyncIterator in result || wantsEvents(request);
      if (events) setResultProcessor(eventResponse as never, EVENTS);
    },
  };
}

const EVENTS = "text/event-stream";

function wantsEvents({ headers }: Request): boolean {
  return (headers.get("accept") ?? "").trimStart().toLowerCase().startsWith(EVENTS);
}

/** Compresses answers that are no streams. */
export function compressionPlugin(): GatewayPlugin {
  return {
    async onResponse({ request, response, setResponse, fetchAPI }) {
      const type = response.headers.get("content-type") ?? "";
      if (response.body === null || !type.includes("json")) return;
      const whole = Buffer.from(await response.arrayBuffer());
      const { bytes, headers } = await encode(request.headers.get("accept-encoding"), type, whole);
      const all = new Headers(response.headers as never);
      for (const [name, value] of Object.entries(headers)) all.append(name, value);
      all.set("content-length", String(bytes.length));
      const { status, statusText } = response;
      setResponse(new fetchAPI.Response(bytes as never, { status, statusText, headers: Object.fromEntries(all) }));
    },
  };
}
