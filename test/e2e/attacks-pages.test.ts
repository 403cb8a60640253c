/** Attacks by pages of other sites on a platform that asks nobody for a credential: what curl can say for them, and a real browser. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

let platform: Platform;
/** Pages of another site, and of one that is named. */
let site: Server;
let named: string;
beforeAll(async () => {
  site = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><body>"));
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  named = `http://localhost:${(site.address() as AddressInfo).port}`;
  platform = await startPlatform({ ALLOWED_HOSTS: JSON.stringify(["*", named]) });
});
afterAll(async () => {
  site?.close();
  await platform?.stop();
});

const EVIL = "https://evil.example";
const READING = '{"sensor_id":"page","sensor_type":"t","unit":"u","value":1}';
const CONNECT = '{"readings":[{"sensorId":"page","sensorType":"t","unit":"u","value":1}]}';
const MUTATION = 'mutation { submitSensorData(sensorId: "page", sensorType: "t", unit: "u", value: 1) { id } }';
const JSON_TYPE = { "content-type": "application/json" };

/** Every way to change something by a browser's means. */
const ACTS: readonly [string, "http" | "grpc", string, string, Record<string, string>?][] = [
  ["a reading by REST", "http", "/api/v1/sensors/data", READING],
  ["a reading without a content type", "http", "/api/v1/sensors/data", READING, { "content-type": "" }],
  ["an alert's end by REST", "http", "/api/v1/sensors/alerts/1/resolve", ""],
  ["a mutation", "http", "/api/v1/graphql", JSON.stringify({ query: MUTATION })],
  [
    "a mutation among queries",
    "http",
    "/api/v1/graphql",
    JSON.stringify([{ query: "{ __typename }" }, { query: MUTATION }]),
  ],
  [
    "a mutation beside a query",
    "http",
    "/api/v1/graphql",
    JSON.stringify({
      query: `query a { __typename } ${MUTATION.replace("mutation", "mutation b")}`,
      operationName: "b",
    }),
  ],
  ["a mutation behind a byte order mark", "http", "/api/v1/graphql", `\ufeff${JSON.stringify({ query: MUTATION })}`],
  [
    "a mutation for an event stream",
    "http",
    "/api/v1/graphql",
    JSON.stringify({ query: MUTATION }),
    { accept: "text/event-stream" },
  ],
  ["a mutation as text of GraphQL", "http", "/api/v1/graphql", MUTATION, { "content-type": "application/graphql" }],
  ["a reading by Connect", "grpc", "/telltale.v1.IngestService/SubmitReadings", CONNECT],
  ["an alert's end by Connect", "grpc", "/telltale.v1.AlertService/ResolveAlert", '{"alertId":"1"}'],
  [
    "a token by Connect",
    "grpc",
    "/telltale.v1.AdminService/CreateToken",
    '{"token":{"name":"x","scopes":["SCOPE_ADMIN"]}}',
  ],
  ["the list of tokens by Connect", "grpc", "/telltale.v1.AdminService/ListTokens", "{}"],
  [
    "a reading by gRPC-Web",
    "grpc",
    "/telltale.v1.IngestService/SubmitReadings",
    "\0\0\0\0\0",
    { "content-type": "application/grpc-web+proto" },
  ],
];

async function act([, listener, path, body, headers]: (typeof ACTS)[number], page: Record<string, string>) {
  const { "content-type": type, ...more } = { ...JSON_TYPE, ...headers };
  const answer = await fetch(platform[listener] + path, {
    method: "POST",
    headers: { ...(type === "" ? {} : { "content-type": type }), ...more, ...page },
    ...(body === "" ? {} : { body: new TextEncoder().encode(body) }),
  });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

describe.each([
  ["another site", { origin: EVIL }],
  ["a sandbox", { origin: "null" }],
  ["another port of this machine", { origin: "http://127.0.0.1:1" }],
  ["another site that keeps its origin to itself", { "sec-fetch-site": "cross-site" }],
  ["another port that keeps its origin to itself", { "sec-fetch-site": "same-site" }],
])("a page of %s", (_, page) => {
  it.each(ACTS)("is refused %s, and told what to set", async (...request) => {
    const { status, text, headers } = await act(request, page as Record<string, string>);
    if (headers.get("content-type")?.startsWith("application/grpc-web")) {
      // gRPC says it in a status of its own.
      expect(headers.get("grpc-status") ?? /grpc-status: (\d+)/.exec(text)?.[1]).toBe("7");
      return;
    }
    expect([status, text]).toEqual([403, expect.stringContaining("ALLOWED_HOSTS")]);
    if (request[1] === "http") expect(JSON.parse(text)).toMatchObject({ detail: expect.stringContaining("AUTH=on") });
  });

  it("may look", async () => {
    const headers = { ...JSON_TYPE, ...page } as Record<string, string>;
    const list = await fetch(`${platform.http}/api/v1/sensors/data`, { headers });
    const query = await fetch(`${platform.http}/api/v1/graphql`, {
      method: "POST",
      headers,
      body: '{"query":"{ sensorData { id } }"}',
    });
    expect([list.status, query.status, await query.json()]).toEqual([200, 200, { data: { sensorData: [] } }]);
  });
});

it("the same is done for who is no page, for a page of our own, and for one that is named", async () => {
  const own = { http: { origin: platform.http }, grpc: { origin: platform.grpc } };
  for (const page of [() => ({}), (l: "http" | "grpc") => own[l], () => ({ origin: named })] as const)
    for (const request of [ACTS[0]!, ACTS[3]!, ACTS[9]!]) {
      const { status, text } = await act(request, page(request[1]) as Record<string, string>);
      expect([request[0], status, text]).toEqual([request[0], 200, expect.not.stringContaining("errors")]);
    }
});

it.each([
  "application/x-www-form-urlencoded",
  "text/plain",
  "text/plain;charset=UTF-8",
  "multipart/form-data; boundary=x",
])("a body of %s changes nothing, whoever sends it", async (type) => {
  const before = await count();
  const bodies = { "application/x-www-form-urlencoded": `query=${encodeURIComponent(MUTATION)}` } as Record<
    string,
    string
  >;
  const statuses = [
    await act(
      ["", "http", "/api/v1/graphql", bodies[type] ?? JSON.stringify({ query: MUTATION }), { "content-type": type }],
      {},
    ),
    await act(["", "http", "/api/v1/sensors/data", READING, { "content-type": type }], {}),
    await act(["", "http", "/api/v1/sensors/alerts/1/resolve", "a=b", { "content-type": type }], {}),
    await act(["", "grpc", "/telltale.v1.IngestService/SubmitReadings", CONNECT, { "content-type": type }], {}),
  ].map(({ status }) => status);
  expect(statuses).toEqual([415, 422, 415, 415]);
  expect(await count()).toBe(before);
});

it("a mutation by GET is refused, whoever sends it", async () => {
  const before = await count();
  for (const headers of [{}, { origin: EVIL }, { accept: "text/event-stream" }]) {
    const answer = await fetch(`${platform.http}/api/v1/graphql?query=${encodeURIComponent(MUTATION)}`, { headers });
    await answer.text();
    expect(answer.status).toBe(405);
  }
  expect(await count()).toBe(before);
});

it("over a websocket a page of another site watches and asks, but changes nothing", async () => {
  expect(await overSocket(MUTATION, { origin: EVIL })).toContain("FORBIDDEN");
  expect(await overSocket("{ __typename }", { origin: EVIL })).toContain("Query");
  expect(await overSocket(MUTATION, { origin: named })).toContain("submitSensorData");
});

it("no token is made while nobody is asked for one", async () => {
  const admin = createClient(AdminService, createConnectTransport({ baseUrl: platform.grpc, httpVersion: "1.1" }));
  await expect(admin.createToken({ token: { name: "x", scopes: [Scope.ADMIN] } })).rejects.toThrow(/AUTH is off/);
  expect((await admin.listTokens({})).tokens).toEqual([]);
});

describeWith(["chromium"], "a real browser", () => {
  it("on a page of another site changes nothing, by form, fetch, image or websocket", {
    timeout: 120_000,
  }, async () => {
    const browser = await chromium.launch({ executablePath: program("chromium")!, args: ["--no-sandbox"] });
    try {
      const before = await count();
      const page = await browser.newPage();
      await page.goto(named.replace("localhost", "127.0.0.1"));
      const tried = await page.evaluate(attempt, {
        http: platform.http,
        grpc: platform.grpc,
        mutation: MUTATION,
        reading: READING,
        connect: CONNECT,
      });
      expect(tried).toBe(11);
      const form = await page.evaluate(postForm, { http: platform.http, mutation: MUTATION });
      expect(form).toBe("sent");
      await page.waitForURL(`${platform.http}/**`);
      expect(await count()).toBe(before);

      // The same page under a name that is listed does.
      const good = await browser.newPage();
      await good.goto(named);
      const status = await good.evaluate(
        async ({ http, reading }) =>
          (
            await fetch(`${http}/api/v1/sensors/data`, {
              method: "POST",
              headers: { "content-type": "application/json" },
              body: reading,
            })
          ).status,
        { http: platform.http, reading: READING },
      );
      expect([status, await count()]).toEqual([200, before + 1]);
    } finally {
      await browser.close();
    }
  });
});

interface Attempt {
  readonly http: string;
  readonly grpc: string;
  readonly mutation: string;
  readonly reading: string;
  readonly connect: string;
}

/** Runs in the page. How many attempts came to an end. */
async function attempt({ http, grpc, mutation, reading, connect }: Attempt): Promise<number> {
  const graphql = `${http}/api/v1/graphql`;
  const json = JSON.stringify({ query: mutation });
  const form = new URLSearchParams({ query: mutation });
  const multipart = new FormData();
  multipart.set("operations", json);
  const simple = (url: string, body: BodyInit) =>
    fetch(url, { method: "POST", mode: "no-cors", credentials: "include", body });
  const withLeave = (url: string, body: string) =>
    fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const image = () =>
    new Promise((resolve) => {
      const picture = new Image();
      picture.onerror = picture.onload = resolve;
      picture.src = `${graphql}?query=${encodeURIComponent(mutation)}`;
    });
  const socket = () =>
    new Promise<void>((resolve) => {
      const ws = new globalThis.WebSocket(graphql.replace("http", "ws"), "graphql-transport-ws");
      ws.onopen = () => ws.send(JSON.stringify({ type: "connection_init" }));
      ws.onclose = () => resolve();
      ws.onmessage = ({ data }) => {
        const { type } = JSON.parse(String(data)) as { type: string };
        if (type === "connection_ack")
          ws.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query: mutation } }));
        else ws.close();
      };
    });
  const attempts = [
    () => simple(graphql, json),
    () => simple(graphql, form),
    () => simple(graphql, multipart),
    () => simple(graphql, new Blob([json])),
    () => simple(`${http}/api/v1/sensors/data`, reading),
    () => simple(`${http}/api/v1/sensors/data`, new Blob([reading])),
    () => withLeave(`${http}/api/v1/sensors/data`, reading),
    () => withLeave(graphql, json),
    () => withLeave(`${grpc}/telltale.v1.IngestService/SubmitReadings`, connect),
    image,
    socket,
  ];
  let done = 0;
  for (const each of attempts) {
    await each().catch(() => undefined); // a page is not told why
    done++;
  }
  return done;
}

/** Runs in the page, which goes away by it. */
function postForm({ http, mutation }: Pick<Attempt, "http" | "mutation">): string {
  const form = document.createElement("form");
  form.method = "POST";
  form.action = `${http}/api/v1/graphql`;
  const input = document.createElement("input");
  input.name = "query";
  input.value = mutation;
  form.append(input);
  document.body.append(form);
  form.submit();
  return "sent";
}

/** Readings stored. */
async function count(): Promise<number> {
  const answer = await fetch(`${platform.http}/api/v1/sensors/data?limit=1000`);
  return ((await answer.json()) as unknown[]).length;
}

/** What a websocket of a page answers to one operation. */
async function overSocket(query: string, headers: Record<string, string>): Promise<string> {
  const socket = new WebSocket(`${platform.http.replace("http", "ws")}/api/v1/graphql`, "graphql-transport-ws", {
    headers,
  });
  socket.on("open", () => socket.send('{"type":"connection_init"}'));
  const answer = await new Promise<string>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data) => {
      const text = String(data);
      if (text.includes("connection_ack"))
        socket.send(JSON.stringify({ id: "1", type: "subscribe", payload: { query } }));
      else resolve(text);
    });
  });
  socket.close();
  return answer;
}
