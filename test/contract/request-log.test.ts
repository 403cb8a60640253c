/** What the log says of calls: enough to find one again, and never a line for each. */
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, it } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import type { ProtocolOptions } from "../../server/api/protocol-routes.ts";
import type { IngestProtocol } from "../../server/ingest/protocol.ts";
import { protocolMemory } from "../../server/ingest/protocols/limits.ts";
import { anonymous } from "../../server/security/principal.ts";
import { TEST_DOCUMENT } from "../../testing/endpoint.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";

let listener: Listener;
beforeAll(async () => {
  listener = await openListener();
});
afterAll(() => listener.close(0));

const query = () => createClient(QueryService, createGrpcTransport({ baseUrl: listener.url }));
const lines = (message: string) => listener.lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === message);

it("names a failed call by the caller's request id, or by one that the caller is told", async () => {
  const named = query().getPlatformStats({}, { headers: { "x-request-id": "press-7:41" } });
  await expect(named).rejects.toThrow("Internal server error");
  expect(lines("call failed").at(-1)).toMatchObject({
    method: "telltale.v1.QueryService/GetPlatformStats",
    request_id: "press-7:41",
  });
  const failure = await query()
    .getPlatformStats({})
    .then(() => undefined, ConnectError.from);
  const told = failure?.metadata.get("x-request-id");
  expect(told).toMatch(/^[0-9a-f-]{36}$/);
  expect(lines("call failed").at(-1)).toMatchObject({ request_id: told });
});

it("tells of refused calls once a second, with the reason, and of answered ones not at all", async () => {
  for (let i = 0; i < 20; i++) await expect(query().listReadings({ limit: 1_001 })).rejects.toThrow("1001");
  for (let i = 0; i < 20; i++) await query().listReadings({});
  const refused = lines("call refused");
  expect(refused.length).toBeGreaterThan(0);
  expect(refused.length).toBeLessThan(5);
  expect(refused[0]).toMatchObject({ level: "info", code: "InvalidArgument", reason: expect.stringContaining("1001") });
  expect(refused[0].request_id).toMatch(/^[0-9a-f-]{36}$/);
  expect(listener.lines.filter((line) => line.includes("ListReadings"))).toHaveLength(refused.length);
});

it("tells of calls by plain HTTP that fail for want of the database", async () => {
  const failing: IngestProtocol = {
    ...{ name: "failing", method: "POST", path: "/test/failing", document: TEST_DOCUMENT },
    handle: () => Promise.reject(Object.assign(new Error("too many connections"), { code: "53400" })),
  };
  const protocols = {
    ...{ protocols: [failing], quota: undefined, memory: protocolMemory(), onStored: async () => {} },
    access: { authorize: async () => anonymous, forwarding: { read: () => undefined } },
    ingestor: {} as ProtocolOptions["ingestor"],
  };
  const own = await openListener({ protocols });
  const headers = { "x-request-id": "press-8:1" };
  const { status } = await fetch(`${own.url}/test/failing`, { method: "POST", body: "a 1", headers });
  await own.close(0);
  expect(status).toBe(503);
  expect(own.lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ method: "POST /test/failing", request_id: "press-8:1", level: "info" }),
  );
});
