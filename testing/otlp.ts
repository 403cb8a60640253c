/** A receiver of spans by OTLP over HTTP with JSON, as an operator would have one. */
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Span {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly parentSpanId: string;
  readonly status: { readonly code?: number; readonly message?: string };
  readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue: string } }[];
}

export interface SpanReceiver {
  /** Set these for a process that is to send its spans here. */
  readonly environment: Readonly<Record<string, string>>;
  /** All that has come, as it came. */
  readonly bodies: readonly string[];
  spans(): Span[];
  close(): void;
}

export async function startSpanReceiver(): Promise<SpanReceiver> {
  const bodies: string[] = [];
  const receiver = http.createServer(async (request, response) => {
    bodies.push(await text(request));
    response.end("{}");
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  return {
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    },
    bodies,
    spans: () =>
      bodies
        .map((body) => JSON.parse(body))
        .flatMap(({ resourceSpans }) => resourceSpans)
        .flatMap(({ scopeSpans }) => scopeSpans)
        .flatMap(({ spans }) => spans),
    close: () => receiver.close(),
  };
}
