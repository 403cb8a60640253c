import { afterAll, expect, test } from "vitest";
import { TelltaleError } from "../../server/errors.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

const listeners: Listener[] = [];
afterAll(() => Promise.all(listeners.map((listener) => listener.close(100))));

async function open(options: Parameters<typeof openListener>[0]): Promise<string> {
  const listener = await openListener(options);
  listeners.push(listener);
  return listener.url;
}

test("a process without an HTTP listener shows its metrics on the gRPC listener", async () => {
  const metrics = createMetrics({ processMetrics: false });
  metrics.countStored("temperature", 7);
  const answer = await fetch(`${await open({ metrics })}/metrics`);
  expect(answer.headers.get("content-type")).toContain("text/plain");
  expect(await answer.text()).toContain('sensor_data_total{sensor_type="temperature"} 7');
});

test("with authentication, the metrics are shown to whoever may ask about the whole platform and to nobody else", async () => {
  const url = await open({
    metricsGate: async (authorization) => {
      if (authorization === null) throw new TelltaleError("unauthenticated", "Say who calls");
      if (authorization !== "Bearer reader") throw new TelltaleError("forbidden", "lacks the scope");
    },
  });
  const status = async (authorization?: string) =>
    (await fetch(`${url}/metrics`, authorization ? { headers: { authorization } } : {})).status;
  expect(await status()).toBe(401);
  expect(await status("Bearer device")).toBe(403);
  expect(await status("Bearer reader")).toBe(200);
});
