import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { startSpanReceiver } from "../../testing/otlp.ts";

const caller = { traceId: "4bf92f3577b34da6a3ce929d0e0e4736", spanId: "00f067aa0ba902b7" };

it("sends a server span for each call to an OTLP receiver, joined to the caller's trace", {
  timeout: 60_000,
}, async () => {
  const receiver = await startSpanReceiver();
  // A process of its own: the SDK registers itself for the whole process, and for good.
  const script = fileURLToPath(new URL("../../testing/traced-calls.ts", import.meta.url));
  const child = spawn(process.execPath, [script, `00-${caller.traceId}-${caller.spanId}-01`], {
    env: { ...process.env, ...receiver.environment },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(child, "exit");
  receiver.close();
  expect(code).toBe(0);

  const seen = receiver.spans().map(({ name, kind, traceId, parentSpanId, status, attributes }) => ({
    name,
    kind,
    joined: traceId === caller.traceId && parentSpanId === caller.spanId,
    failed: status.code === 2,
    attributes: Object.fromEntries(attributes.map((each) => [each.key, each.value.stringValue])),
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
  expect(receiver.bodies.join("")).toContain('"telltale"');
});
