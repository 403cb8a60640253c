/** Attacks on who may do what, each by the endpoints that it could come through. The platform is the real one. */
import { type ConnectError, createClient } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { createClient as createGraphqlClient } from "graphql-ws";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import WebSocket from "ws";
import { ServerReflection } from "../../gen/es/grpc/reflection/v1/reflection_pb.ts";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService, RefusalReason } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { MatcherType, NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { startPlatform } from "../../testing/platform.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

let platform: Secured;
let mine: string;
beforeAll(async () => {
  platform = await startSecured();
  await fill(platform.as(platform.adminToken), "mine/1");
  await fill(platform.as(platform.adminToken), "theirs/1");
  mine = (await platform.mint([Scope.INGEST, Scope.READ, Scope.OPERATE], "mine/")).secret;
});
afterAll(() => platform?.stop());

const reading = { sensorId: "mine/2", sensorType: "t", unit: "u", value: 1 };
const restReading = { sensor_id: "mine/2", sensor_type: "t", unit: "u", value: 1 };

/** What callers were told: headers and bodies of answers, words of errors. */
const told: string[] = [];

/** Every endpoint, called with an authorization header; the answer is "in", "401" or "403". */
const endpoints: Record<string, (authorization: string | undefined) => Promise<string>> = {
  gRPC: (authorization) => grpc(() => createClient(QueryService, transport(authorization)).listSensors({})),
  "a watch": (authorization) =>
    grpc(() => first(createClient(WatchService, transport(authorization)).watchReadings({}))),
  "an ingest stream": (authorization) =>
    grpc(() =>
      first(
        createClient(IngestService, transport(authorization)).streamReadings(
          one({ producer: "p", sequence: 1n, readings: [reading] }),
        ),
      ),
    ),
  reflection: (authorization) =>
    grpc(() =>
      first(
        createClient(ServerReflection, transport(authorization)).serverReflectionInfo(
          one({ messageRequest: { case: "listServices" as const, value: "" } }),
        ),
      ),
    ),
  "Connect JSON": (authorization) => web(`${platform.grpc}/telltale.v1.QueryService/ListReadings`, authorization, {}),
  REST: (authorization) => web(`${platform.http}/api/v1/sensors/data`, authorization),
  "REST by POST": (authorization) => web(`${platform.http}/api/v1/sensors/data`, authorization, restReading),
  statistics: (authorization) => web(`${platform.http}/api/v1/monitoring/stats`, authorization),
  metrics: (authorization) => web(`${platform.http}/api/v1/monitoring/metrics`, authorization),
  "REST with a filter that nothing can match": (authorization) =>
    web(`${platform.http}/api/v1/sensors/alerts?severity=purple`, authorization),
  "GraphQL with a filter that nothing can match": (authorization) =>
    graphql('{ anomalyAlerts(severity: "purple") { id } }', authorization),
  GraphQL: (authorization) => graphql("{ sensorData(limit: 1) { id } }", authorization),
  "a GraphQL mutation": (authorization) => graphql("mutation { resolveAlert(alertId: 1) }", authorization),
  "a GraphQL subscription": subscribe,
};
const endpointNames = Object.keys(endpoints);

describe("without a credential that is worth something", () => {
  const good = async () => (await platform.mint([Scope.INGEST, Scope.READ, Scope.OPERATE])).secret;
  const worthless: [string, () => Promise<string | undefined> | string][] = [
    ["no credential", async () => undefined],
    ["a token that was never made", () => `Bearer tt_${"0".repeat(16)}_${"A".repeat(43)}`],
    [
      "the secret of another token under a known id",
      async () => {
        const [one, other] = [await good(), await good()];
        return `Bearer ${one.slice(0, 20)}${other.slice(20)}`;
      },
    ],
    [
      "a token with its last character changed",
      async () => `Bearer ${(await good()).replace(/.$/, (last) => (last === "A" ? "B" : "A"))}`,
    ],
    [
      "a revoked token",
      async () => {
        const { id, secret } = await platform.mint([Scope.READ, Scope.INGEST]);
        await createClient(AdminService, platform.as(platform.adminToken)).revokeToken({ id });
        return `Bearer ${secret}`;
      },
    ],
    [
      "an expired token",
      async () => {
        const { secret } = await platform.mint([Scope.READ, Scope.INGEST], "", 300);
        await new Promise((resolve) => setTimeout(resolve, 350)); // its life is what is waited for
        return `Bearer ${secret}`;
      },
    ],
    ["a good token by another scheme", async () => `Basic ${Buffer.from(`admin:${await good()}`).toString("base64")}`],
    ["two tokens in one header", async () => `Bearer ${await good()}, Bearer ${await good()}`],
    ["the hash of a token in place of its secret", () => `Bearer ${"ab".repeat(32)}`],
    ["an SQL injection for a token", () => "Bearer tt_' or '1'='1_x"],
    ["a JWT with alg none", async () => `Bearer ${await platform.jwt({ scope: "admin" }, { alg: "none" })}`],
    ["an expired JWT", async () => `Bearer ${await platform.jwt({ scope: "admin" }, { expires: "-1m" })}`],
    ["a JWT for another audience", async () => `Bearer ${await platform.jwt({ scope: "admin", aud: "other" })}`],
    [
      "a JWT without a prefix",
      async () => `Bearer ${await platform.jwt({ scope: "admin", sensor_prefix: undefined })}`,
    ],
    ["a JWT whose prefix is null", async () => `Bearer ${await platform.jwt({ scope: "admin", sensor_prefix: null })}`],
    ["a JWT whose prefix is empty", async () => `Bearer ${await platform.jwt({ scope: "admin", sensor_prefix: "" })}`],
    [
      "a JWT of another issuer",
      async () => `Bearer ${await platform.jwt({ scope: "admin", iss: "https://evil.example" })}`,
    ],
  ];
  it.each(worthless)("%s is refused at every endpoint", async (_, make) => {
    const authorization = await make();
    const answers = await Promise.all(endpointNames.map(async (name) => [name, await endpoints[name]!(authorization)]));
    expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(endpointNames.map((name) => [name, "401"])));
  });

  it("a token in the query of an address is not looked at", async () => {
    const secret = await good();
    expect(
      await web(`${platform.http}/api/v1/sensors/data?access_token=${secret}&authorization=Bearer%20${secret}`),
    ).toBe("401");
  });

  it("health is all that is told", async () => {
    expect((await fetch(`${platform.http}/health`)).status).toBe(200);
    expect((await fetch(`${platform.grpc}/health`)).status).toBe(200);
  });
});

describe("a good credential", () => {
  it.each([
    ["a token", async () => (await platform.mint([Scope.INGEST, Scope.READ, Scope.OPERATE])).secret],
    ["a JWT", () => platform.jwt({ scope: "ingest read operate" })],
    ["the administrator's token", async () => platform.adminToken],
  ])("%s is let in at every endpoint", async (_, make) => {
    const authorization = `Bearer ${await make()}`;
    const answers = await Promise.all(endpointNames.map(async (name) => [name, await endpoints[name]!(authorization)]));
    expect(Object.fromEntries(answers)).toEqual(Object.fromEntries(endpointNames.map((name) => [name, "in"])));
  });
});

describe("a scope that is lacking", () => {
  const only = async (scope: Scope) => `Bearer ${(await platform.mint([scope])).secret}`;
  it("keeps a device from reading", async () => {
    const authorization = await only(Scope.INGEST);
    for (const name of [
      "gRPC",
      "a watch",
      "Connect JSON",
      "REST",
      "statistics",
      "metrics",
      "GraphQL",
      "a GraphQL subscription",
    ]) {
      expect([name, await endpoints[name]!(authorization)]).toEqual([name, "403"]);
    }
  });
  it("keeps a reader from writing and from closing alerts", async () => {
    const authorization = await only(Scope.READ);
    for (const name of ["an ingest stream", "REST by POST", "a GraphQL mutation"]) {
      expect([name, await endpoints[name]!(authorization)]).toEqual([name, "403"]);
    }
  });
  it("keeps an operator from making itself an administrator", async () => {
    const { secret } = await platform.mint([Scope.INGEST, Scope.READ, Scope.OPERATE]);
    const admin = createClient(AdminService, platform.as(secret));
    const calls = [
      () => admin.createToken({ token: { name: "x", scopes: [Scope.ADMIN] } }),
      () => admin.listTokens({}),
      () => admin.revokeToken({ id: "x" }),
      () => admin.listAuditEvents({}),
    ];
    for (const call of calls) expect(await grpc(call)).toBe("403");
  });
  it("keeps an administrator of some sensors from making tokens for all", async () => {
    const { secret } = await platform.mint([Scope.ADMIN], "mine/");
    expect(
      await grpc(() =>
        createClient(AdminService, platform.as(secret)).createToken({ token: { name: "x", scopes: [Scope.ADMIN] } }),
      ),
    ).toBe("403");
  });
});

describe("a token for the sensors mine/…", () => {
  const query = () => createClient(QueryService, platform.as(mine));
  const alerts = () => createClient(AlertService, platform.as(mine));
  const theirAlert = async () => {
    const all = createClient(AlertService, platform.as(platform.adminToken));
    const found = await all.listAlerts({ sensorId: "theirs/1" });
    expect(found.alerts.length).toBeGreaterThan(0);
    return found.alerts[0]!.id;
  };

  it("sees its own", async () => {
    expect((await query().listReadings({ sensorId: "mine/1" })).readings.length).toBeGreaterThan(0);
    expect((await alerts().listAlerts({})).alerts.length).toBeGreaterThan(0);
  });

  it("finds nothing of others in readings, lists, latest values, statistics, buckets or explanations", async () => {
    const readings = [
      ...(await query().listReadings({ limit: 1_000 })).readings,
      ...(await query().listReadings({ sensorId: "theirs/1" })).readings,
      ...(await query().batchGetLatestReadings({ sensorIds: ["mine/1", "theirs/1"] })).readings,
    ];
    expect(readings.length).toBeGreaterThan(0);
    expect(readings.filter(({ sensorId }) => !sensorId.startsWith("mine/"))).toEqual([]);
    const { sensors, totalCount } = await query().listSensors({});
    expect(sensors.map(({ sensorId }) => sensorId).filter((id) => !id.startsWith("mine/"))).toEqual([]);
    expect(Number(totalCount)).toBe(sensors.length);
    const range = {
      startTime: { seconds: 0n, nanos: 0 },
      endTime: { seconds: 4_000_000_000n, nanos: 0 },
      bucketSeconds: 604_800,
    };
    expect((await query().aggregateReadings({ sensorId: "theirs/1", ...range })).buckets).toEqual([]);
    expect(await code(() => query().getLatestReading({ sensorId: "theirs/1" }))).toBe(status.NOT_FOUND);
    expect(await code(() => query().getSensorStats({ sensorId: "theirs/1" }))).toBe(status.NOT_FOUND);
    const explained = createClient(DetectorService, platform.as(mine));
    expect(await code(() => explained.explainReading({ sensorId: "theirs/1" }))).toBe(status.NOT_FOUND);
    expect(await grpc(() => query().getPlatformStats({}))).toBe("403");
  });

  it("finds, acknowledges and closes no alert of others, and cannot tell it from one that is not there", async () => {
    const alertId = await theirAlert();
    expect((await alerts().listAlerts({})).alerts.filter(({ sensorId }) => !sensorId.startsWith("mine/"))).toEqual([]);
    expect((await alerts().listAlerts({ sensorId: "theirs/1" })).alerts).toEqual([]);
    for (const call of ["getAlert", "acknowledgeAlert", "resolveAlert"] as const) {
      const known = await alerts()
        [call]({ alertId })
        .catch((error) => error);
      const unknown = await alerts()
        [call]({ alertId: 1n })
        .catch((error) => error);
      expect([known.code, unknown.code]).toEqual([status.NOT_FOUND, status.NOT_FOUND]);
      expect(known.rawMessage.replace(String(alertId), "N")).toBe(unknown.rawMessage.replace("1", "N"));
    }
    const after = await createClient(AlertService, platform.as(platform.adminToken)).getAlert({ alertId });
    expect(after.alert).toMatchObject({ acknowledgedBy: "", resolvedBy: "" });
  });

  it("silences only its own, sees and ends no silence of others, and learns nothing of their notifications", async () => {
    const notifications = (token: string) => createClient(NotificationService, platform.as(token));
    const everybody = [{ name: "sensor_id", type: MatcherType.REGEXP, value: ".+" }];
    const wanted = { matchers: everybody, durationSeconds: 60, comment: "all" };
    const theirWords = { ...wanted, comment: "theirs/1 is taken apart" };
    const all = await notifications(platform.adminToken).createSilence(theirWords);
    const own = await notifications(mine).createSilence(wanted);
    expect(own.silence).toMatchObject({ sensorPrefix: "mine/" });
    expect(own.alertIds).not.toContain(await theirAlert());
    const { silences } = await notifications(mine).listSilences({});
    expect(silences.map(({ id }) => id)).toEqual([own.silence!.id]);
    expect(await code(() => notifications(mine).expireSilence({ id: all.silence!.id }))).toBe(status.NOT_FOUND);
    const theirs = await theirAlert();
    expect(await code(() => notifications(mine).explainNotification({ alertId: theirs }))).toBe(status.NOT_FOUND);
    // That a silence of others keeps an alert of its own back it learns, and no word of it.
    const alertId = (await alerts().listAlerts({})).alerts[0]!.id;
    const explain = (token: string) => notifications(token).explainNotification({ alertId });
    await expect.poll(async () => (await explain(mine)).silences.map(({ id }) => id)).toEqual([own.silence!.id]);
    const { reasons } = await explain(mine);
    expect(reasons).toContainEqual(expect.stringContaining("A silence of somebody who sees more sensors"));
    expect(reasons.join()).not.toMatch(new RegExp(`theirs|${all.silence!.id}`));
    expect((await explain(platform.adminToken)).reasons.join()).toContain(theirWords.comment);
    expect(await grpc(() => notifications(mine).listDeliveries({}))).toBe("403");
    expect(await grpc(() => notifications(mine).getNotificationConfig({}))).toBe("403");
    for (const { silence } of [all, own]) {
      await notifications(platform.adminToken).expireSilence({ id: silence!.id });
    }
  });

  it("writes none of others, alone or among its own, by call and by stream", async () => {
    const ingest = createClient(IngestService, platform.as(mine));
    const foreign = { ...reading, sensorId: "theirs/9" };
    expect(await grpc(() => ingest.submitReadings({ readings: [foreign] }))).toBe("403");
    const mixed = await ingest.submitReadings({ readings: [reading, foreign] });
    expect(mixed.counts).toMatchObject({ accepted: 1n, rejected: 1n });
    expect(mixed.refusals).toMatchObject([{ index: 1, reason: RefusalReason.FORBIDDEN }]);
    const batch = { producer: "mine", sequence: 1n, readings: [foreign] };
    let refused = 0;
    for await (const { refusals } of ingest.streamReadings(one(batch))) refused += refusals.length;
    expect(refused).toBe(1);
    const seen = createClient(QueryService, platform.as(platform.adminToken));
    expect(await code(() => seen.getLatestReading({ sensorId: "theirs/9" }))).toBe(status.NOT_FOUND);
  });

  it("uses up no sequences of a producer of others", async () => {
    const ours = { producer: "gate", epoch: 1n, sequence: 1_000_000n };
    const inEachPartition = Array.from({ length: 40 }, (_, i) => ({ ...reading, sensorId: `mine/gate/${i}` }));
    await createClient(IngestService, platform.as(mine)).submitReadings({ ...ours, readings: inEachPartition });
    const { secret } = await platform.mint([Scope.INGEST, Scope.READ], "theirs/");
    const theirs = { producer: "gate", epoch: 1n, sequence: 1n, readings: [{ ...reading, sensorId: "theirs/gate" }] };
    const answer = await createClient(IngestService, platform.as(secret)).submitReadings(theirs);
    expect(answer.stored).toHaveLength(1);
    const { readings } = await createClient(QueryService, platform.as(secret)).listReadings({
      sensorId: "theirs/gate",
    });
    expect(readings).toHaveLength(1);
  });

  it("finds nothing of others by REST or GraphQL", async () => {
    const headers = { authorization: `Bearer ${mine}` };
    const get = async (path: string) => (await fetch(platform.http + path, { headers })).text();
    const paths = [
      "sensors/data?limit=1000",
      "sensors/data?sensor_id=theirs/1",
      "sensors/alerts",
      "monitoring/sensors/status",
    ];
    for (const path of paths) expect(await get(`/api/v1/${path}`)).not.toContain("theirs");
    expect((await fetch(`${platform.http}/api/v1/sensors/data/theirs%2F1/latest`, { headers })).status).toBe(404);
    expect((await fetch(`${platform.http}/api/v1/monitoring/stats`, { headers })).status).toBe(403);
    const alertId = await theirAlert();
    const resolve = await fetch(`${platform.http}/api/v1/sensors/alerts/${alertId}/resolve`, {
      method: "POST",
      headers,
    });
    expect(resolve.status).toBe(404);
    const text = `{ a: sensorData(sensorId: "theirs/1") { id sensorId } b: anomalyAlerts { sensorId } c: sensorStats(sensorId: "theirs/1") { totalReadings } d: sensorData(limit: 1000) { sensorId } }`;
    const answer = await fetch(`${platform.http}/api/v1/graphql`, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ query: text }),
    });
    const { data } = (await answer.json()) as { data: { a: unknown[]; b: unknown[]; c: unknown; d: unknown[] } };
    expect(JSON.stringify(data)).not.toContain("theirs");
    expect(data).toMatchObject({ a: [], c: null });
  });

  it("watches nothing of others", async () => {
    const watch = createClient(WatchService, platform.as(mine)).watchReadings({})[Symbol.asyncIterator]();
    await watch.next();
    const all = createClient(IngestService, platform.as(platform.adminToken));
    await all.submitReadings({ readings: [{ ...reading, sensorId: "theirs/1" }] });
    await all.submitReadings({ readings: [{ ...reading, sensorId: "mine/3" }] });
    const seen: string[] = [];
    while (!seen.includes("mine/3")) {
      const { value } = await watch.next();
      seen.push(...value.readings.map(({ sensorId }: { sensorId: string }) => sensorId));
    }
    expect(seen).toEqual(["mine/3"]);
    await watch.return?.(undefined);
  });
});

describe("rights that end", () => {
  it("end a stream and a watch within seconds when the token is revoked", async () => {
    const { id, secret } = await platform.mint([Scope.READ, Scope.INGEST]);
    const watch = createClient(WatchService, platform.as(secret)).watchAlerts({})[Symbol.asyncIterator]();
    await watch.next();
    async function* held() {
      yield { producer: "revoked", sequence: 1n, readings: [reading] };
      await new Promise(() => {});
    }
    const stream = createClient(IngestService, platform.as(secret)).streamReadings(held())[Symbol.asyncIterator]();
    await stream.next();
    await createClient(AdminService, platform.as(platform.adminToken)).revokeToken({ id });
    const revokedAt = performance.now();
    const ends = await Promise.allSettled([drained(watch), drained(stream)]);
    expect(ends.map((end) => end.status === "rejected" && end.reason.code)).toEqual([
      status.UNAUTHENTICATED,
      status.UNAUTHENTICATED,
    ]);
    expect(performance.now() - revokedAt).toBeLessThan(8_000);
  });

  it("end a watch when a JWT expires", async () => {
    const token = await platform.jwt({ scope: "read" }, { expires: "2s" });
    const watch = createClient(WatchService, platform.as(token)).watchAlerts({})[Symbol.asyncIterator]();
    await watch.next();
    expect(await code(() => drained(watch))).toBe(status.UNAUTHENTICATED);
  });
});

describe("the command line", () => {
  const telltale = async (...args: string[]) => {
    const run = runCli("token", ...args, "--url", platform.grpc, "--token", platform.adminToken);
    return { code: await run.ended, stdout: run.stdout().trim(), stderr: run.stderr() };
  };

  it("makes a token, shows its secret once, lists it and ends it", async () => {
    const made = await telltale(
      "create",
      "gate 3",
      "--scope",
      "read",
      "ingest",
      "--sensor-prefix",
      "mine/",
      "--expires",
      "2999-01-31",
    );
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^tt_[0-9a-f]{16}_[\w-]{43}$/) });
    platform.secrets.push(made.stdout);
    expect(await endpoints.REST!(`Bearer ${made.stdout}`)).toBe("in");
    const id = made.stdout.split("_")[1]!;
    const listed = (await telltale("list")).stdout.split("\n").find((line) => line.startsWith(id));
    expect(listed).toMatch(/"gate 3" {2}ingest,read {2}only sensors "mine\/"… {2}ends 2999-01-31T00:00:00.000Z/);
    expect((await telltale("revoke", id)).stdout).toContain("revoked");
    expect((await telltale("audit")).stdout.split("\n")[0]).toContain(`token.revoke  token ${id}  by "admin"`);
    await until(async () => (await endpoints.REST!(`Bearer ${made.stdout}`)) === "401");
  });

  it("says in a sentence what is wrong", async () => {
    expect(await telltale("revoke", "nix")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no token "nix"'),
    });
    expect((await telltale("create", "x", "--scope", "everything")).code).not.toBe(0);
    // What a script passes on whose variable is not set.
    for (const nothing of ["", "  "])
      expect(await telltale("create", "x", "--scope", "read", "--sensor-prefix", nothing)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining("leave the option out"),
      });
    expect((await telltale("create", "x", "--scope", "read", "--expires", "2001-01-01")).stderr).toContain(
      "must be in the future",
    );
  });
});

describe("what is left behind", () => {
  it("is a record of who did what, that also names who tried nothing more", async () => {
    const { id } = await platform.mint([Scope.READ]);
    const admin = createClient(AdminService, platform.as(platform.adminToken));
    await admin.revokeToken({ id });
    const { alerts } = await createClient(AlertService, platform.as(mine)).listAlerts({ sensorId: "mine/1" });
    await createClient(AlertService, platform.as(mine)).acknowledgeAlert({ alertId: alerts[0]!.id });
    const { events } = await admin.listAuditEvents({ limit: 3 });
    expect(events.map(({ action, target }) => [action, target])).toEqual([
      ["alert.acknowledge", `alert ${alerts[0]!.id}`],
      ["token.revoke", `token ${id}`],
      ["token.create", `token ${id}`],
    ]);
    expect(events[0]!.principal).toMatch(/^token:test /);
    expect(events[2]!.detail).toContain(", scopes read, prefix ");
    const older = await admin.listAuditEvents({ limit: 1, beforeId: events[2]!.id });
    expect(older.events[0]!.id).toBe(events[2]!.id - 1n);
  });

  it("is no secret in any log line, span, error, answer, list of tokens or record", async () => {
    const admin = createClient(AdminService, platform.as(platform.adminToken));
    const { receiver } = platform;
    await until(async () => receiver.spans().some(({ name }) => name === "telltale.v1.AdminService/RevokeToken"));
    expect(new Set(receiver.spans().map(({ name }) => name)).size).toBeGreaterThan(10);
    expect(told.length).toBeGreaterThan(200);
    const all = [
      platform.output(),
      ...receiver.bodies,
      ...told,
      JSON.stringify(await admin.listTokens({}), (_, value) => (typeof value === "bigint" ? String(value) : value)),
      JSON.stringify(await admin.listAuditEvents({ limit: 1_000 }), (_, value) =>
        typeof value === "bigint" ? String(value) : value,
      ),
    ].join("\n");
    expect(platform.secrets.length).toBeGreaterThan(20);
    expect(platform.secrets.filter((secret) => all.includes(secret) || all.includes(secret.slice(-20)))).toEqual([]);
  });
});

it("a start that fails tells no password of its addresses", async () => {
  const password = "Pl4nted-db-passw0rd";
  const started = startPlatform({
    DATABASE_URL: `postgresql://telltale:${password}@127.0.0.1:1/telltale`,
    REDIS_URL: `redis://:${password}@127.0.0.1:1`,
    ADMIN_TOKEN: `${password}-${password}-admin`,
    GATEWAY_SECRET: `${password}-${password}-gateway`,
    AUTH: "on",
    LOG_LEVEL: "TRACE",
  });
  const error: Error = await started.then(
    () => Promise.reject(new Error("it started without a database")),
    (reason) => reason,
  );
  expect(error.message).toMatch(/ended/);
  expect(error.message).not.toContain(password);
});

function transport(authorization: string | undefined) {
  return platform.as(authorization?.startsWith("Bearer ") ? authorization.slice(7) : authorization);
}

/** A revoked token is remembered for two seconds at most; there is nothing to await but their end. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("it did not happen within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What other tests of this file cause arrives on a watch, too, before its end. */
async function drained(calls: AsyncIterator<unknown>): Promise<void> {
  while (!(await calls.next()).done);
}

async function* one<T>(message: T) {
  yield message;
}

async function first(messages: AsyncIterable<unknown>): Promise<unknown> {
  const iterator = messages[Symbol.asyncIterator]();
  const { value } = await iterator.next();
  await iterator.return?.(undefined);
  return value;
}

async function code(call: () => Promise<unknown>): Promise<number> {
  try {
    await call();
    return status.OK;
  } catch (error) {
    const { code: given, rawMessage, metadata, details } = error as ConnectError;
    const seen = { rawMessage, details, metadata: metadata && Object.fromEntries(metadata) };
    told.push(JSON.stringify(seen, (_, value) => (typeof value === "bigint" ? String(value) : value)));
    return given;
  }
}

async function grpc(call: () => Promise<unknown>): Promise<string> {
  const names: Record<number, string> = {
    [status.UNAUTHENTICATED]: "401",
    [status.PERMISSION_DENIED]: "403",
    [status.OK]: "in",
  };
  const result = await code(call);
  return names[result] ?? `code ${result}`;
}

async function web(url: string, authorization?: string, body?: object): Promise<string> {
  const response = await fetch(url, {
    method: body === undefined ? "GET" : "POST",
    headers: { ...(authorization && { authorization }), ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  told.push(JSON.stringify([...response.headers]), await response.text());
  return response.ok ? "in" : String(response.status);
}

async function graphql(query: string, authorization: string | undefined): Promise<string> {
  const response = await fetch(`${platform.http}/api/v1/graphql`, {
    method: "POST",
    headers: { ...(authorization && { authorization }), "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  told.push(JSON.stringify([...response.headers]), text);
  return verdict((JSON.parse(text) as { errors?: GraphqlError[] }).errors);
}

async function subscribe(authorization: string | undefined): Promise<string> {
  const client = createGraphqlClient({
    url: `${platform.http.replace("http", "ws")}/api/v1/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: authorization === undefined ? {} : { authorization },
    retryAttempts: 0,
  });
  try {
    return await new Promise((resolve, reject) => {
      const errors = (list: unknown) => resolve(verdict(Array.isArray(list) ? list : undefined));
      client.subscribe(
        { query: "subscription { sensorDataStream { sensorId } }" },
        {
          next: ({ errors: list }) => errors(list),
          error: (error) => (Array.isArray(error) ? errors(error) : reject(error)),
          complete: () => {},
        },
      );
      // Whoever is let in sees readings: one of them is sent until then.
      const send = () =>
        createClient(IngestService, platform.as(platform.adminToken)).submitReadings({ readings: [reading] });
      const timer = setInterval(() => void send(), 200);
      client.on("closed", () => clearInterval(timer));
    });
  } finally {
    await client.dispose();
  }
}

interface GraphqlError {
  readonly extensions?: { readonly code?: string };
}

function verdict(errors: readonly GraphqlError[] | undefined): string {
  told.push(JSON.stringify(errors ?? []));
  if (errors === undefined) return "in";
  const codes: Record<string, string> = { UNAUTHENTICATED: "401", FORBIDDEN: "403" };
  const given = errors[0]?.extensions?.code ?? "none";
  return codes[given] ?? given;
}
