/** Attacks that want a secret quoted: credentials of characters that no library takes, by every way in. The platform is the real one. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http2 from "node:http2";
import net from "node:net";
import { join } from "node:path";
import { createClient as createGraphqlClient } from "graphql-ws";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startRedis } from "../../testing/redis.ts";

let platform: Platform;
let admin: string;
/** What callers were told. */
const told: string[] = [];
beforeAll(async () => {
  platform = await startPlatform({ AUTH: "on", LOG_LEVEL: "TRACE" });
  admin = (await readFile(join(platform.dataDir, "admin-token"), "utf8")).trim();
});
afterAll(() => platform?.stop());

/** A real token with a character in it that HTTP takes and gRPC does not, or that no credential has. */
const HOSTILE: readonly [string, (token: string) => string][] = [
  ["a tab", (token) => `Bearer ${token}\tx`],
  ["a tab for the blank", (token) => `Bearer\t${token}`],
  ["a no-break space", (token) => `Bearer ${token}\u00a0`],
  ["an é", (token) => `Bearer é${token}`],
  ["a byte of no character", (token) => `Bearer ${token}\u0080`],
  ["the highest byte", (token) => `Bearer ${token}\u00ff`],
  ["UTF-8 beyond Latin-1", (token) => Buffer.from(`Bearer ${token}‽😀`).toString("latin1")],
];

const BODY = '{"sensor_id":"a","sensor_type":"t","unit":"u","value":1}';
const PATHS: readonly [string, "http" | "grpc", string, string?][] = [
  ["REST", "http", "GET /api/v1/sensors/data"],
  ["REST through GraphQL", "http", "GET /api/v1/sensors/alerts"],
  ["REST by POST", "http", "POST /api/v1/sensors/data", BODY],
  ["metrics", "http", "GET /api/v1/monitoring/metrics"],
  ["GraphQL", "http", "POST /api/v1/graphql", '{"query":"{ sensorData { id } }"}'],
  ["GraphQL by GET", "http", "GET /api/v1/graphql?query=%7BsensorData%7Bid%7D%7D"],
  ["Connect JSON", "grpc", "POST /telltale.v1.QueryService/ListReadings", "{}"],
  ["the services' metrics", "grpc", "GET /metrics"],
];

describe.each(HOSTILE)("a token with %s", (_, make) => {
  it.each(PATHS)("by %s is refused with 401 and quoted nowhere", async (_name, listener, call, body = "") => {
    const answer = await raw(listener, call, body, { authorization: make(admin) });
    expect(answer).toMatch(/^HTTP\/1.1 401 /);
  });

  it("by gRPC is refused as UNAUTHENTICATED", async () => {
    const session = http2.connect(platform.grpc);
    const stream = session.request({
      ":method": "POST",
      ":path": "/telltale.v1.QueryService/ListReadings",
      "content-type": "application/grpc",
      te: "trailers",
      authorization: make(admin),
    });
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
    stream.resume();
    const status = await new Promise((resolve, reject) => {
      const take = (headers: http2.IncomingHttpHeaders) => {
        told.push(JSON.stringify(headers));
        if (headers["grpc-status"] !== undefined) resolve(headers["grpc-status"]);
      };
      stream.on("response", take).on("trailers", take).on("error", reject);
    });
    session.destroy();
    expect(status).toBe("16");
  });

  it("by the first message of a websocket is refused as UNAUTHENTICATED", async () => {
    expect(await overSocket(`${make(admin)}\n`)).toBe("UNAUTHENTICATED");
    expect(await overSocket(`${make(admin)}\u2028‽`)).toBe("UNAUTHENTICATED");
  });

  it("by the handshake of a websocket is refused", async () => {
    const upgrade = {
      authorization: make(admin),
      upgrade: "websocket",
      connection: "Upgrade",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
      "sec-websocket-protocol": "graphql-transport-ws",
    };
    expect(await raw("http", "GET /api/v1/graphql", "", upgrade)).toMatch(/^HTTP\/1.1 401 /);
  });
});

describe("another header", () => {
  it.each(["x-request-id"])("%s of characters that gRPC does not take is a bad request", async (name) => {
    for (const value of ["a\tb", "é", "\u0080"]) {
      const answer = await raw("http", "GET /api/v1/sensors/data", "", {
        authorization: `Bearer ${admin}`,
        [name]: value,
      });
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(answer).toContain(name);
    }
  });

  it.each(["traceparent", "tracestate"])(
    "%s of such characters is dropped, as its specification says",
    async (name) => {
      const answer = await raw("http", "GET /api/v1/sensors/data", "", {
        authorization: `Bearer ${admin}`,
        [name]: "a\tb",
      });
      expect(answer).toMatch(/^HTTP\/1.1 200 /);
    },
  );
});

it("nothing of the token was told or logged", () => {
  expect(told.length).toBeGreaterThan(70);
  const all = [...told, platform.output()].join("\n");
  expect(all).not.toContain(admin);
  expect(all).not.toContain(admin.slice(0, 20));
  expect(all).not.toContain(admin.slice(-20));
});

it("a password that Redis refuses stands in no line", { timeout: 180_000 }, async () => {
  const redis = await startRedis();
  const password = "Wr0ng-redis-passw0rd";
  const client = new Redis(redis.url);
  await client.config("SET", "requirepass", "another");
  client.disconnect();
  const outcome = await startPlatform({
    REDIS_URL: `redis://ann:${password}@127.0.0.1:${redis.port}`,
    LIMIT_CALLS_PER_SECOND: "1000",
    LOG_LEVEL: "TRACE",
  }).then(
    async (started) => {
      await fetch(`${started.http}/api/v1/monitoring/health`).then((answer) => answer.text());
      await started.stop();
      return started.output();
    },
    (error: Error) => error.message,
  );
  await redis.stop();
  expect(outcome).toMatch(/WRONGPASS|Redis/);
  expect(outcome).not.toContain(password);
});

/** The answer to a request that is written byte by byte, as no client library would. */
async function raw(
  listener: "http" | "grpc",
  call: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const port = Number(new URL(platform[listener]).port);
  const all = { host: `localhost:${port}`, "content-type": "application/json", connection: "close", ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  const length = body === "" ? [] : [`content-length: ${body.length}`];
  const socket = net.connect(port, "127.0.0.1");
  const parts: string[] = [];
  socket.setEncoding("latin1").on("data", (part: string) => parts.push(part));
  socket.write(Buffer.from([`${call} HTTP/1.1`, ...lines, ...length, "", body].join("\r\n"), "latin1"));
  await once(socket, "close");
  const answer = parts.join("");
  told.push(answer);
  return answer;
}

/** The code of the first error of an operation whose credential comes by the connection's first message. */
async function overSocket(authorization: string): Promise<unknown> {
  const client = createGraphqlClient({
    url: `${platform.http.replace("http", "ws")}/api/v1/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  try {
    return await new Promise((resolve, reject) => {
      const code = (errors: unknown) => {
        told.push(JSON.stringify(errors));
        return (errors as { extensions?: { code: string } }[])[0]?.extensions?.code;
      };
      client.subscribe(
        { query: "{ sensorData { id } }" },
        {
          next: ({ errors }) => resolve(code(errors ?? [])),
          error: (error) => (Array.isArray(error) ? resolve(code(error)) : reject(error)),
          complete: () => {},
        },
      );
    });
  } finally {
    await client.dispose();
  }
}
