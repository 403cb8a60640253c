/** What a failure of the services answers over HTTP is the same whether they are called over gRPC or within the process. */
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { storageFull, TelltaleError } from "../../server/errors.ts";
import { type Listener, openListener } from "../../testing/rpc.ts";
import { answerTo } from "./answer.ts";
import { type DirectRoute, directRoute } from "./direct.ts";
import { routes } from "./routes.ts";

const route = routes.find(({ path, method }) => method === "GET" && path === "/api/v1/sensors/data")!;
const violation = { field: "limit", description: "limit is too large" };
const late = new ConnectError("the operation timed out", Code.DeadlineExceeded);
/** More calls than a connection's budget lets be cancelled at once. */
const CALLS = 60;

let listener: Listener;
let overGrpc: DirectRoute;
let within: DirectRoute;
/** What the service throws; undefined: it waits for its caller to go. */
let failure: Error | undefined;
/** Calls that wait, and those of which the caller has gone. */
let [waiting, ended] = [0, 0];

beforeAll(async () => {
  listener = await openListener({
    services: [QueryService],
    routes: (router) =>
      router.service(QueryService, {
        async listReadings(_, { signal }) {
          if (failure !== undefined) throw failure;
          waiting++;
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          ended++;
          return {};
        },
      }),
  });
  overGrpc = directRoute(`127.0.0.1:${listener.port}`);
  within = directRoute("", listener.call);
});
afterAll(async () => {
  overGrpc.close();
  await listener.close(0);
});
beforeEach(() => {
  failure = undefined;
  [waiting, ended] = [0, 0];
});

describe.each<[string, () => DirectRoute]>([
  ["over gRPC", () => overGrpc],
  ["within the process", () => within],
])("%s", (_, direct) => {
  const answer = async (row = route) => {
    const error = await direct()
      .of(row.row)({}, { headers: {} })
      .then(
        () => expect.unreachable(),
        (reason: unknown) => reason,
      );
    return answerTo(error, row, {});
  };

  test.each<[Error, object]>([
    [late, { status: 504, body: { detail: "the operation timed out" } }],
    [
      new TelltaleError("invalid", "no", { violations: [violation] }),
      {
        status: 422,
        body: { detail: [expect.objectContaining({ loc: ["query", "limit"], msg: "limit is too large" })] },
      },
    ],
    [
      new TelltaleError("exhausted", "slower", { retryAfterMs: 4_500 }),
      { status: 429, headers: { "retry-after": "5" } },
    ],
    [storageFull("the disk is full"), { status: 507, headers: { "retry-after": expect.any(String) } }],
    [new TelltaleError("unavailable", "away"), { status: 503, headers: { "retry-after": "1" } }],
    [new TelltaleError("unimplemented", "not here"), { status: 501, body: { detail: "not here" } }],
    [new TelltaleError("unauthenticated", "who"), { status: 401, headers: { "www-authenticate": "Bearer" } }],
    [new TelltaleError("forbidden", "not you"), { status: 403 }],
    [new TelltaleError("conflict", "twice"), { status: 409 }],
  ])("%s is answered alike", async (error, expected) => {
    failure = error;
    expect(await answer()).toMatchObject(expected);
  });

  test("a failure of ours is answered by nothing that the gateway passes on", async () => {
    failure = new Error("inner");
    expect(await answer()).toBeUndefined();
  });

  test("a method that is not served is answered 501", async () => {
    const alerts = routes.find(({ name }) => name === "list_alerts")!;
    expect(await answer(alerts)).toMatchObject({ status: 501 });
  });
});

test("calls within the process that are given up end at once, however many", async () => {
  const run = within.of(route.row);
  const callers = Array.from({ length: CALLS }, () => new AbortController());
  const calls = callers.map(({ signal }) => run({}, { headers: {}, signal }).catch((error: unknown) => error));
  await expect.poll(() => waiting).toBe(CALLS);
  for (const caller of callers) caller.abort();
  expect(ended).toBe(0);
  for (const error of await Promise.all(calls)) expect(error).toMatchObject({ code: Code.Canceled });
  expect(ended).toBe(CALLS);
});
