/**
 * A sender with as many sensors as it may have (LIMIT_SENSORS): to send the same again does not help, so that no answer asks for it. What
 * is new is refused by name, and the sensors that it has go on.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ProtocolApp, startProtocolApp } from "../../testing/protocol-app.ts";
import { writeRequest1 } from "../../testing/remote-write.ts";

let app: ProtocolApp;
const startMs = Date.now() - 600_000;

type Send = (names: readonly string[], step: number) => Promise<Response>;

function post(path: string, headers: Record<string, string>, body: string | Uint8Array<ArrayBuffer>) {
  return fetch(app.http + path, { method: "POST", headers: { ...app.bearer, ...headers }, body });
}

const remoteWrite: Send = (names, step) => {
  const at = BigInt(startMs + step * 1_000);
  const timeseries = names.map((name) => ({
    ...{ labels: [{ name: "__name__", value: name }], samples: [{ timestamp: at, value: step }] },
  }));
  const { body, headers } = writeRequest1({ timeseries });
  return post("/api/v1/write", headers, body as Uint8Array<ArrayBuffer>);
};

const otlp: Send = (names, step) => {
  const timeUnixNano = `${startMs + step * 1_000}000000`;
  const metrics = names.map((name) => ({ name, gauge: { dataPoints: [{ timeUnixNano, asDouble: step }] } }));
  const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
  return post("/v1/metrics", { "content-type": "application/json" }, body);
};

const influx: Send = (names, step) => {
  const lines = names.map((name) => `${name} value=${step} ${startMs + step * 1_000}`);
  return post("/api/v2/write?precision=ms", {}, lines.join("\n"));
};

const protocols = [
  ["remote_write", remoteWrite, "prom", 400, (name: string) => name],
  ["otlp", otlp, "otel", 200, (name: string) => name],
  ["influx", influx, "line", 400, (name: string) => `${name}.value`],
] as const;

beforeAll(async () => {
  app = await startProtocolApp({ LIMIT_SENSORS: String(2 * protocols.length) });
  for (const [, send, name] of protocols) expect((await send([`${name}_a`, `${name}_b`], 1)).ok).toBe(true);
}, 120_000);
afterAll(() => app?.stop());

test.each(protocols)(
  "by %s the others are stored, and it is not asked to come again",
  async (_, send, name, status, idOf) => {
    const answer = await send([`${name}_a`, `${name}_new`, `${name}_b`], 2);
    const text = await answer.text();
    expect([answer.status, answer.headers.get("retry-after"), text]).toEqual([
      status,
      null,
      expect.stringMatching(
        new RegExp(`1 refused, the others are stored.*${name}_new.*beyond the 6 sensors.*LIMIT_SENSORS`),
      ),
    ]);
    const values = async (id: string) => (await app.readings(idOf(id))).map(({ value }) => value);
    expect([await values(`${name}_a`), await values(`${name}_b`)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(await values(`${name}_new`)).toEqual([]);
    // Also where there is nothing but new ones.
    const none = await send([`${name}_new`], 3);
    expect([none.status, none.headers.get("retry-after")]).toEqual([status, null]);
  },
);
