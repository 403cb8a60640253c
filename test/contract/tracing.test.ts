import { spawn } from "node:child_process";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

it("sends a server span for each call to an OTLP receiver, joined to the caller's trace", {
  timeout: 60_000,
}, async () => {
  const bodies: string[] = [];
  const receiver = http.createServer(async (request, response) => {
    bodies.push(await text(request));
    response.end("{}");
  });
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const endpoint = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;

  // A process of its own: the SDK registers itself for the whole process, and for good.
  const script = fileURLToPath(new URL("../support/traced-calls.ts", import.meta.url));
  const child = spawn(process.execPath, [script, `00-${caller.traceId}-${caller.spanId}-01`], {
    env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(child, "exit");
  receiver.close();
  expect(code).toBe(0);

  const spans = bodies
    .map((body) => JSON.parse(body))
    .flatMap(({ resourceSpans }) => resourceSpans)
    .flatMap(({ scopeSpans }) => scopeSpans)
    .flatMap(({ spans }) => spans);
  const seen = spans.map(({ name, kind, traceId, parentSpanId, status, attributes }) => ({
    name,
    kind,
    joined: traceId === caller.traceId && parentSpanId === caller.spanId,
    failed: status.code === 2,
    attributes: Object.fromEntries(attributes.map((each: Attribute) => [each.key, each.value.stringValue])),
  }));
  const server = { kind: 2, joined: true };
  expect(seen).toEqual([
    {
      ...server,
      name: "telltale.v1.QueryService/ListReadings",
      failed: false,
      attributes: {
        "rpc.system.name": "grpc",
        "rpc.method": "telltale.v1.QueryService/ListReadings",
        "rpc.status_code": "OK",
      },
    },
    {
      ...server,
      name: "telltale.v1.QueryService/GetLatestReading",
      failed: false,
      attributes: expect.objectContaining({ "rpc.status_code": "NOT_FOUND" }),
    },
    {
      ...server,
      name: "telltale.v1.QueryService/GetPlatformStats",
      failed: true,
      attributes: expect.objectContaining({ "rpc.status_code": "INTERNAL", "error.type": "INTERNAL" }),
    },
    {
      ...server,
      name: "telltale.v1.IngestService/StreamReadings",
      failed: false,
      attributes: expect.objectContaining({ "rpc.status_code": "OK" }),
    },
  ]);
  expect(bodies.join("")).toContain('"telltale"');
});

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}
