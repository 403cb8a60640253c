/** Attacks by what a request costs before it is known who sends it. The platform is the real one, and asks who calls. */

import { readFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import { createClient as createGraphqlClient } from "graphql-ws";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { frame } from "../../testing/http2-frame.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform({ AUTH: "on" });
});
afterAll(() => platform?.stop());

/** Levels of nesting: a recursion over it overflows the stack. */
const DEEP = 100_000;
const SPREADS = Array.from({ length: 40 }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(" ");
const BOMB = `{ ...f0 } ${SPREADS} fragment f40 on Query { sensorData { id } }`;

/** Answers of a request, and of an honest one beside it, in milliseconds of the slower one. */
async function beside<T>(attack: () => Promise<T>): Promise<{ answer: T; tookMs: number }> {
  const began = performance.now();
  const [answer, health] = await Promise.all([attack(), fetch(`${platform.http}/health`)]);
  expect(health.status).toBe(200);
  return { answer, tookMs: performance.now() - began };
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
const graphql = () => `${platform.http}/api/v1/graphql`;
const codeOf = async (answer: Response) =>
  ((await answer.json()) as { errors?: { extensions: { code: string } }[] }).errors?.[0]?.extensions.code;

describe("GraphQL without a token", () => {
  it("by fragments that spread fragments forty deep is refused at once, by POST, GET and websocket", async () => {
    const posted = await beside(async () => codeOf(await post(graphql(), JSON.stringify({ query: BOMB }))));
    const got = await beside(async () => codeOf(await fetch(`${graphql()}?query=${encodeURIComponent(BOMB)}`)));
    const subscribed = await beside(() => overSocket(BOMB));
    expect([posted.answer, got.answer, subscribed.answer]).toEqual(Array(3).fill("OPERATION_TOO_LARGE"));
    for (const { tookMs } of [posted, got, subscribed]) expect(tookMs).toBeLessThan(3_000);
  });

  it.each([
    ["introspection under a hundred names", `{ ${names(100, "__schema { types { fields { name } } }")} }`],
    ["root fields under a thousand names", `{ ${names(300, "sensorData { id }")} }`],
    ["a document of a megabyte", `{ sensorData(sensorId: "${"x".repeat(900_000)}") { id } }`],
    ["a comment of a megabyte", `{ __typename } # ${"x".repeat(900_000)}`],
    ["three hundred operations", Array.from({ length: 300 }, (_, i) => `query q${i} { __typename }`).join(" ")],
    ["a list in a list, a thousand deep", `{ sensorData(sensorId: ${"[".repeat(1_000)}${"]".repeat(1_000)}) { id } }`],
    ["fields of fields, a thousand deep", `{ sensorData ${"{ id ".repeat(1_000)}${"}".repeat(1_001)}`],
  ])("by %s is refused", async (_, query) => {
    const { answer, tookMs } = await beside(async () => codeOf(await post(graphql(), JSON.stringify({ query }))));
    expect(answer).toMatch(/^(OPERATION_TOO_LARGE|GRAPHQL_PARSE_FAILED|GRAPHQL_VALIDATION_FAILED)$/);
    expect(tookMs).toBeLessThan(3_000);
  });
});

describe("GraphQL with many fields and no valid token", () => {
  /** Calls of the services that were refused for their credential, so far. */
  async function refusedCalls(): Promise<number> {
    const headers = { authorization: `Bearer ${await adminToken()}` };
    const text = await (await fetch(`${platform.grpc}/metrics`, { headers })).text();
    const lines = text.match(/^telltale_rpcs_total\{[^}]*code="UNAUTHENTICATED"[^}]*\} \d+$/gm) ?? [];
    return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }
  const twenty = { query: `{ ${names(20, 'latestReading(sensorId: "a") { id }')} }` };

  it("two hundred names of a field are refused before any call", async () => {
    const before = await refusedCalls();
    const query = `{ ${names(200, "sensorData { id }")} }`;
    expect(await codeOf(await post(graphql(), JSON.stringify({ query })))).toBe("OPERATION_TOO_LARGE");
    expect(await refusedCalls()).toBe(before);
  });

  it.each([
    ["without a token", {}],
    ["with a token that is none", { authorization: `Bearer tt_${"1".repeat(16)}_x` }],
  ])("two hundred fields in ten operations cost a call each %s, and each field is told", async (_, headers) => {
    const before = await refusedCalls();
    const response = await post(graphql(), JSON.stringify(Array(10).fill(twenty)), headers as Record<string, string>);
    const answers = (await response.json()) as { errors: { path: string[]; extensions: { code: string } }[] }[];
    expect(answers).toHaveLength(10);
    for (const { errors } of answers) {
      expect(errors.map(({ extensions }) => extensions.code)).toEqual(Array(20).fill("UNAUTHENTICATED"));
      expect(new Set(errors.map(({ path }) => path[0])).size).toBe(20);
    }
    expect((await refusedCalls()) - before).toBeLessThanOrEqual(10);
  });
});

describe("JSON a hundred thousand deep", () => {
  const nested = `${"[".repeat(DEEP)}${"]".repeat(DEEP)}`;
  const objects = `${'{"a":'.repeat(DEEP)}1${"}".repeat(DEEP)}`;
  const submit =
    'mutation ($m: JSON) { submitSensorData(sensorId: "a", sensorType: "t", unit: "u", value: 1, metadata: $m) { id } }';

  it.each<[string, (headers: Record<string, string>) => Promise<Response>]>([
    ["REST, in place of a body", (h) => post(`${platform.http}/api/v1/sensors/data`, nested, h)],
    ["REST, as metadata", (h) => post(`${platform.http}/api/v1/sensors/data`, restReading(objects), h)],
    ["GraphQL, in place of a body", (h) => post(graphql(), nested, h)],
    [
      "GraphQL, as a variable",
      (h) => post(graphql(), `{"query":${JSON.stringify(submit)},"variables":{"m":${objects}}}`, h),
    ],
    ["GraphQL, as extensions", (h) => post(graphql(), `{"query":"{ __typename }","extensions":${objects}}`, h)],
    [
      "Connect JSON",
      (h) => post(`${platform.grpc}/telltale.v1.IngestService/SubmitReadings`, connectReading(objects), h),
    ],
    [
      "Connect JSON, in an unknown field",
      (h) => post(`${platform.grpc}/telltale.v1.QueryService/ListReadings`, `{"x":${nested}}`, h),
    ],
  ])("by %s is refused and nothing falls over", async (_, send) => {
    for (const authorization of ["", `Bearer ${await adminToken()}`]) {
      const { answer, tookMs } = await beside(async () => {
        const response = await send({ authorization });
        return { status: response.status, text: await response.text() };
      });
      expect(answer.status, `${authorization} ${answer.text.slice(0, 300)}`).toBeLessThan(500);
      expect(answer.text).not.toMatch(/Internal server error|call stack/i);
      expect(tookMs).toBeLessThan(5_000);
    }
  });
});

describe("large bodies without a token", () => {
  it("are read in turns, and whoever sends too many at once is told when to come back", async () => {
    const body = `{"metadata":{"a":[${"[],".repeat(250_000)}1]}}`;
    const headers = { "content-type": "application/json" };
    const send = () => fetch(`${platform.http}/api/v1/sensors/data`, { method: "POST", headers, body });
    const answers = await Promise.all(Array.from({ length: 40 }, send));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]!.headers.get("retry-after")).toBe("1");
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([422, 429]));
    const small = await fetch(`${platform.http}/api/v1/sensors/data`, { method: "POST", headers, body: "{}" });
    expect(small.status).toBe(422);
  });
});

describe("guessed tokens", () => {
  it("slow their own address down, behind the gateway too, and nobody else", async () => {
    const authorization = `Bearer ${await adminToken()}`;
    const guesses = Array.from({ length: 400 }, (_, i) => from("127.0.0.1", `Bearer tt_${"0".repeat(16)}_${i}`));
    const settled = Promise.all(guesses);
    await Promise.race(guesses);
    const began = performance.now();
    expect(await from("127.0.0.2", authorization)).toBe(200);
    const honestMs = performance.now() - began;
    const statuses = await settled;
    const guessedMs = performance.now() - began;
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    // A hundred at once, twenty a second then, and the rest refused when it would have to wait for more than three seconds.
    expect(statuses.filter((status) => status === 401).length).toBeLessThan(350);
    expect(guessedMs).toBeGreaterThan(honestMs);
    // Known by now, the good one passes from the address of the guesses as well.
    expect(await from("127.0.0.1", authorization)).toBe(200);
  });
});

/** Status of a question that comes from the address. */
function from(localAddress: string, authorization: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { localAddress, headers: { authorization }, agent: false };
    const request = http.get(`${platform.http}/api/v1/sensors/data`, options, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    request.once("error", reject);
  });
}

function restReading(metadata: string): string {
  return `{"sensor_id":"a","sensor_type":"t","unit":"u","value":1,"metadata":${metadata}}`;
}

function connectReading(metadata: string): string {
  return `{"readings":[{"sensorId":"a","sensorType":"t","unit":"u","value":1,"metadata":${metadata}}]}`;
}

describe("HTTP/2 frames that ask for work and carry nothing", () => {
  it.each([
    ["pings", () => frame({ type: 6, payload: Buffer.alloc(8) })],
    ["settings", () => frame({ type: 4, payload: Buffer.from([0, 3, 0, 0, 0, 100]) })],
    ["settings without content", () => frame({ type: 4, payload: Buffer.alloc(0) })],
    [
      "resets of streams that never were",
      (i: number) => frame({ type: 3, stream: 2 * i + 1, payload: Buffer.alloc(4) }),
    ],
    [
      "headers that are reset at once",
      (i: number) =>
        Buffer.concat([
          frame({ type: 1, flags: 4, stream: 2 * i + 1, payload: REQUEST }),
          frame({ type: 3, stream: 2 * i + 1, payload: CANCEL }),
        ]),
    ],
    [
      "headers of requests that end at once",
      (i: number) => frame({ type: 1, flags: 5, stream: 2 * i + 1, payload: REQUEST }),
    ],
  ] as [string, (i: number) => Buffer][])("end their connection: %s", async (_, next) => {
    const began = performance.now();
    await untilCut(next);
    expect(performance.now() - began).toBeLessThan(20_000);
    expect((await fetch(`${platform.grpc}/health`)).status).toBe(200);
  });

  it.each([
    ["window updates", () => frame({ type: 8, payload: Buffer.from([0, 0, 0, 1]) })],
    ["priorities", (i: number) => frame({ type: 2, stream: 2 * (i % 1_000) + 1, payload: Buffer.alloc(5) })],
    ["frames of unknown types", () => frame({ type: 0xee, payload: Buffer.alloc(1) })],
  ] as [string, (i: number) => Buffer][])("leave honest callers served: %s", async (_, next) => {
    const ended = new AbortController();
    const flood = untilCut(next, ended.signal);
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      expect((await fetch(`${platform.grpc}/health`)).status).toBe(200);
      times.push(performance.now() - began);
    }
    ended.abort();
    await flood;
    expect(Math.max(...times)).toBeLessThan(3_000);
  });
});

const CANCEL = Buffer.from([0, 0, 0, 8]);
/** HPACK by the static table alone: POST http / and an authority. */
const REQUEST = Buffer.from([0x83, 0x86, 0x84, 0x41, 9, ...Buffer.from("localhost")]);

/** Sends frames as fast as they are taken, until the server ends the connection or the signal comes. */
async function untilCut(next: (i: number) => Buffer, signal?: AbortSignal): Promise<void> {
  const socket = net.connect(Number(new URL(platform.grpc).port), "127.0.0.1");
  socket.on("error", () => undefined); // a reset is what is wanted
  socket.resume();
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  signal?.addEventListener("abort", () => socket.destroy(), { once: true });
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  socket.write(frame({ type: 4, payload: Buffer.alloc(0) }));
  for (let i = 0; !socket.destroyed; ) {
    const frames = Array.from({ length: 500 }, () => next(i++));
    const taken = socket.write(Buffer.concat(frames));
    if (!taken) await Promise.race([new Promise((resolve) => socket.once("drain", resolve)), closed]);
    // The server's process is another one, but the honest caller is this one.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await closed;
}

function names(count: number, field: string): string {
  return Array.from({ length: count }, (_, i) => `a${i}: ${field}`).join(" ");
}

async function adminToken(): Promise<string> {
  return (await readFile(join(platform.dataDir, "admin-token"), "utf8")).trim();
}

/** The code of the error that a websocket answers the document with. */
async function overSocket(query: string): Promise<unknown> {
  const client = createGraphqlClient({
    url: `${platform.http.replace("http", "ws")}/api/v1/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  try {
    return await new Promise((resolve, reject) => {
      const code = (errors: unknown) => (errors as { extensions?: { code: string } }[])[0]?.extensions?.code;
      client.subscribe(
        { query },
        {
          next: ({ errors }) => resolve(code(errors)),
          error: (error) => (Array.isArray(error) ? resolve(code(error)) : reject(error)),
          complete: () => {},
        },
      );
    });
  } finally {
    await client.dispose();
  }
}
