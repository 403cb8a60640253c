/** What the gateway serves for the console: its files, its calls, its sessions. */
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FirstAnswers } from "../../formats/console-page.ts";
import { AdminService, Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { ensureConsole } from "../../scripts/console.mjs";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { type Secured, startSecured } from "../../testing/secured.ts";

const HTML = { accept: "text/html,*/*;q=0.8" };
const raw = (url: string, coding: string) => fetch(url, { headers: { ...HTML, "accept-encoding": coding } });

/** As a browser asks for what a window is to show. `fetch` says of itself that it is none. */
async function windowAt(url: string, more: Record<string, string> = {}) {
  const headers = { ...HTML, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", ...more };
  const [answer] = (await once(get(url, { headers }), "response")) as [IncomingMessage];
  return { headers: answer.headers, text: await text(answer) };
}

function firstAnswers(page: string): FirstAnswers {
  const [, json = '{"answers":[]}'] = /id="first-answers">([^<]*)</.exec(page) ?? [];
  return JSON.parse(json) as FirstAnswers;
}

describe("the files of the console", () => {
  let platform: Platform;
  beforeAll(async () => {
    ensureConsole();
    platform = await startPlatform();
  });
  afterAll(() => platform?.stop());

  const scriptOf = async () =>
    /src="(\/ui\/assets\/[^"]+\.js)"/.exec(await (await fetch(`${platform.http}/ui/`)).text())![1]!;

  it("a person who opens the address is led there; a program finds nothing, as ever", async () => {
    const answer = await fetch(`${platform.http}/`, { headers: HTML, redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([302, "/ui/"]);
    expect((await fetch(`${platform.http}/`, { headers: { accept: "*/*" } })).status).toBe(404);
    expect((await fetch(`${platform.http}/ui`, { redirect: "manual" })).headers.get("location")).toBe("/ui/");
  });

  it("every address of the console is its page, which is asked for anew each time", async () => {
    for (const path of [
      "/ui/alerts",
      "/ui/alerts/12?from=x",
      "/ui/sensors/a%2Fb.c",
      "/ui/sensors/line-3.js",
      "/ui/sensors/a%2Fb.json",
      "/ui/no/such/page",
    ]) {
      const answer = await fetch(platform.http + path);
      expect([path, answer.status, answer.headers.get("cache-control")]).toEqual([path, 200, "no-cache"]);
      const page = await answer.text();
      expect(page).toContain('<div id="app">');
      // What a program reads, or a worker keeps, has nothing of anybody.
      expect(page).not.toContain("first-answers");
    }
  });

  it("a page has links to the files of what it shows, and the answers of its first calls for the window that asks", async () => {
    const page = await (await fetch(`${platform.http}/ui/alerts`)).text();
    const [file] = /\/ui\/assets\/Alerts-[^"]+\.js/.exec(page) ?? [];
    expect((await fetch(platform.http + file)).status).toBe(200);
    // A page does not wait for long where the services are slow, as they are at first.
    const cached = async (path: string) => (await windowAt(platform.http + path)).headers["cache-control"];
    await expect.poll(() => cached("/ui/alerts")).toBe("no-store");
    const found = async () => {
      const { session, answers } = firstAnswers((await windowAt(`${platform.http}/ui/alerts`)).text);
      return [session, answers.map(({ path }) => path)];
    };
    const both = ["/telltale.v1.AdminService/GetCaller", "/telltale.v1.AlertService/ListAlerts"];
    await expect.poll(found).toEqual([undefined, both]);
    // Not what another filter would show, nor of a sensor that is not there.
    for (const path of ["/ui/alerts?show=all", "/ui/sensors/none", "/ui/", "/ui/nowhere"]) {
      const paths = async () =>
        firstAnswers((await windowAt(platform.http + path)).text).answers.map((each) => each.path);
      await expect.poll(paths, { message: path }).toEqual(["/telltale.v1.AdminService/GetCaller"]);
    }
  });

  it("a file that is named by its contents is kept for good; one that is missing is no page", async () => {
    const script = await fetch(platform.http + (await scriptOf()));
    expect(script.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(script.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    for (const path of [
      "/ui/assets/index-none.js",
      "/ui/robots.json",
      "/ui/assets/../../package.json",
      "/ui/%2e%2e%2fpackage.json",
    ])
      expect([path, (await fetch(platform.http + path)).status]).toEqual([path, 404]);
    const missing = await fetch(`${platform.http}/ui/assets/x.js`);
    expect([missing.status, missing.headers.get("content-type")]).toEqual([404, "text/plain; charset=utf-8"]);
    expect(await missing.text()).toBe("The console has no such file. After an upgrade, load the page again.\n");
  });

  it("files come compressed as the browser takes them, and are the same", async () => {
    const url = platform.http + (await scriptOf());
    const plain = Buffer.from(await (await raw(url, "identity")).arrayBuffer());
    for (const coding of ["br", "gzip"]) {
      const answer = await raw(url, coding);
      expect(answer.headers.get("content-encoding")).toBe(coding);
      expect(answer.headers.get("vary")).toContain("Accept-Encoding");
      expect(Number(answer.headers.get("content-length"))).toBeLessThan(plain.length / 2);
      // fetch has decoded it.
      expect(Buffer.from(await answer.arrayBuffer()).equals(plain)).toBe(true);
    }
  });

  it("nothing may be inline, from elsewhere, or in a frame", async () => {
    const policy = (await fetch(`${platform.http}/ui/`)).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    for (const own of ["worker-src 'self'", "manifest-src 'self'"]) expect(policy).toContain(own);
    expect(policy).not.toContain("unsafe");
  });

  it("the worker and the manifest of the installed console are asked for anew each time", async () => {
    const types = { "sw.js": "text/javascript; charset=utf-8", "manifest.webmanifest": "application/manifest+json" };
    for (const [name, type] of Object.entries(types)) {
      const { status, headers } = await fetch(`${platform.http}/ui/${name}`);
      expect([status, headers.get("content-type"), headers.get("cache-control")]).toEqual([200, type, "no-cache"]);
    }
  });

  it("calls go to the services, unary and streams, and only by Connect", async () => {
    const transport = createConnectTransport({ baseUrl: platform.http, httpVersion: "1.1" });
    const ending = new AbortController();
    const watch = createClient(WatchService, transport).watchReadings({ sensorId: "c" }, { signal: ending.signal });
    const messages = watch[Symbol.asyncIterator]();
    expect((await messages.next()).value?.readings).toEqual([]);
    const reading = { sensorId: "c", sensorType: "t", unit: "u", value: 7 };
    await createClient(IngestService, transport).submitReadings({ readings: [reading] });
    expect((await messages.next()).value?.readings[0]).toMatchObject({ sensorId: "c", value: 7 });
    ending.abort();
    const query = createClient(QueryService, transport);
    expect((await query.getLatestReading({ sensorId: "c" })).reading?.value).toBe(7);
    await expect(query.getLatestReading({ sensorId: "none" })).rejects.toMatchObject({ code: Code.NotFound });
    const caller = await createClient(AdminService, transport).getCaller({});
    expect(caller).toMatchObject({ name: "anonymous", authenticated: false, sensorPrefix: "" });
    const grpcWeb = await fetch(`${platform.http}/telltale.v1.QueryService/GetPlatformStats`, {
      method: "POST",
      headers: { "content-type": "application/grpc-web+proto" },
      body: new Uint8Array(5),
    });
    expect(grpcWeb.status).toBe(415);
  });

  it("a page of another site calls nothing", async () => {
    for (const page of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
      const headers = { "content-type": "application/json", ...page } as Record<string, string>;
      const answer = await fetch(`${platform.http}/telltale.v1.AlertService/ResolveAlert`, {
        method: "POST",
        headers,
        body: '{"alertId":"1"}',
      });
      expect([answer.status, await answer.json()]).toEqual([
        403,
        { code: "permission_denied", message: expect.stringContaining("ALLOWED_HOSTS") },
      ]);
    }
  });

  it("where nobody has to sign in, nobody can", async () => {
    const answer = await signIn(platform.http, "x");
    expect([answer.status, await answer.json()]).toEqual([409, { detail: "AUTH is off: nobody has to sign in" }]);
  });
});

it("a gateway in a process of its own hands calls and streams on to the services, and ends streams when it stops", async () => {
  const services = await startPlatform();
  const apart = await startPlatform({ ROLE: "gateway", GRPC_URL: services.grpc });
  try {
    const transport = createConnectTransport({ baseUrl: apart.http, httpVersion: "1.1" });
    const messages = createClient(WatchService, transport).watchReadings({ sensorId: "g" })[Symbol.asyncIterator]();
    await messages.next();
    const reading = { sensorId: "g", sensorType: "t", unit: "u", value: 7 };
    await createClient(IngestService, transport).submitReadings({ readings: [reading] });
    expect((await messages.next()).value?.readings[0]).toMatchObject({ sensorId: "g", value: 7 });
    const end = messages.next().catch(ConnectError.from);
    await apart.stop();
    expect(await end).toBeInstanceOf(ConnectError);
    await services.stop();
  } finally {
    await apart.stop();
    await services.stop();
  }
});

/** Goes through all messages until there are no more. */
async function ended(messages: AsyncIterator<unknown>): Promise<void> {
  while (!(await messages.next()).done);
}

const JSON_TYPE = { "content-type": "application/json" };

function signIn(http: string, token: string, headers: Record<string, string> = { origin: http }) {
  return fetch(`${http}/ui/session`, {
    method: "POST",
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify({ token }),
  });
}

describe("the session of a browser", () => {
  let platform: Secured;
  beforeAll(async () => {
    platform = await startSecured();
  });
  afterAll(() => platform?.stop());

  const caller = (cookie: string, page: Record<string, string> = { origin: platform.http }) =>
    fetch(`${platform.http}/telltale.v1.AdminService/GetCaller`, {
      method: "POST",
      headers: { ...JSON_TYPE, cookie, ...page },
      body: "{}",
    });

  it("begins with a token, says what that may do, and ends", async () => {
    const { secret } = await platform.mint([Scope.READ], "line-3/");
    const answer = await signIn(platform.http, secret);
    expect(answer.status).toBe(204);
    const [set] = answer.headers.getSetCookie();
    expect(set).toMatch(/^telltale-session=[\w-]+; Path=\/; Max-Age=3600; HttpOnly; SameSite=Strict$/);
    expect(set).not.toContain(secret);
    const cookie = set!.split(";")[0]!;
    const who = await caller(cookie);
    expect([who.status, await who.json()]).toEqual([
      200,
      { name: expect.stringMatching(/^token:/), scopes: ["SCOPE_READ"], sensorPrefix: "line-3/", authenticated: true },
    ]);
    const gone = await fetch(`${platform.http}/ui/session`, {
      method: "DELETE",
      headers: { cookie, origin: platform.http },
    });
    expect([gone.status, gone.headers.getSetCookie()[0]]).toEqual([
      204,
      "telltale-session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict",
    ]);
  });

  it("does not begin with what is no token, and does not say more", async () => {
    const answer = await signIn(platform.http, "nonsense");
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([401, []]);
    for (const body of ["", "[]", "null", "{}", '{"token":1}', '{"token":"a b"}']) {
      const wrong = await fetch(`${platform.http}/ui/session`, {
        method: "POST",
        headers: { ...JSON_TYPE, origin: platform.http },
        body,
      });
      expect([body, wrong.status]).toEqual([body, 422]);
    }
  });

  it("begins and counts only on a page of our own", async () => {
    for (const page of [{ origin: "https://evil.example" }, { "sec-fetch-site": "same-site" }, {}]) {
      const headers = page as unknown as Record<string, string>;
      expect((await signIn(platform.http, platform.adminToken, headers)).status).toBe(403);
    }
    const cookie = (await signIn(platform.http, platform.adminToken)).headers.getSetCookie()[0]!.split(";")[0]!;
    expect((await caller(cookie)).status).toBe(200);
    for (const page of [
      { origin: "https://evil.example" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ])
      expect((await caller(cookie, page as unknown as Record<string, string>)).status).toBe(401);
  });

  it("is what a call was made in, or the call counts for nobody", async () => {
    const [one, two] = [await platform.mint([Scope.READ]), await platform.mint([Scope.ADMIN])];
    const cookies = [];
    for (const { secret } of [one, two])
      cookies.push((await signIn(platform.http, secret)).headers.getSetCookie()[0]!.split(";")[0]!);
    const [first, second] = cookies as [string, string];
    const id = (await caller(first)).headers.get("telltale-session-id")!;
    const made = { origin: platform.http, "telltale-session-id": id };
    expect((await caller(first, made)).status).toBe(200);
    // Of a tab that does not know yet who has signed in beside it, or that nobody is signed in any more.
    for (const cookie of [second, ""]) {
      const refused = await caller(cookie, made);
      expect([refused.status, await refused.json()]).toMatchObject([401, { code: "unauthenticated" }]);
    }
    const file = await fetch(`${platform.http}/api/v1/sensors/data/bulk`, {
      method: "POST",
      headers: { "content-type": "text/csv", cookie: second, ...made },
      body: "sensor_id,time,value\na,2026-01-05T00:00:00Z,1\n",
    });
    expect([file.status, await file.json()]).toMatchObject([401, { detail: expect.any(String) }]);
  });

  it("is told of with the page, to the window of whoever is signed in alone", async () => {
    const { secret } = await platform.mint([Scope.READ], "line-3/");
    const cookie = (await signIn(platform.http, secret)).headers.getSetCookie()[0]!.split(";")[0]!;
    const url = `${platform.http}/ui/alerts`;
    const id = (await caller(cookie)).headers.get("telltale-session-id");
    // By the window itself, and by the service worker for it. A page does not wait for long where the services are slow.
    for (const dest of ["document", "empty"]) {
      const told = async () => {
        const { session, answers } = firstAnswers((await windowAt(url, { cookie, "sec-fetch-dest": dest })).text);
        const own = answers.find(({ path }) => path.endsWith("/GetCaller"));
        return [session, own && JSON.parse(Buffer.from(own.answer, "base64").toString())];
      };
      const own = { scopes: ["SCOPE_READ"], sensorPrefix: "line-3/", authenticated: true };
      await expect.poll(told, { message: dest }).toEqual([id, expect.objectContaining(own)]);
    }
    expect((await windowAt(url)).text).not.toContain("first-answers");
    for (const more of [{ "sec-fetch-dest": "iframe" }, { "sec-fetch-mode": "cors" }])
      expect((await windowAt(url, { cookie, ...more } as Record<string, string>)).text).not.toContain("first-answers");
  });

  it("counts for the console's calls alone", async () => {
    const cookie = (await signIn(platform.http, platform.adminToken)).headers.getSetCookie()[0]!.split(";")[0]!;
    const rest = await fetch(`${platform.http}/api/v1/sensors/data`, { headers: { cookie, origin: platform.http } });
    expect(rest.status).toBe(401);
  });

  it("sends files too, on a page of our own", async () => {
    const { secret } = await platform.mint([Scope.INGEST], "line-3/");
    const cookie = (await signIn(platform.http, secret)).headers.getSetCookie()[0]!.split(";")[0]!;
    const send = (sensor: string, page: Record<string, string>) =>
      fetch(`${platform.http}/api/v1/sensors/data/bulk`, {
        method: "POST",
        headers: { "content-type": "text/csv", cookie, ...page },
        body: `sensor_id,time,value\n${sensor},2026-01-05T00:00:00Z,1\n`,
      });
    expect((await send("line-3/a", { origin: platform.http })).status).toBe(200);
    const other = await send("line-4/a", { origin: platform.http });
    expect([other.status, await other.json()]).toMatchObject([422, { accepted: 0, rejected: 1 }]);
    expect((await send("line-3/b", { "sec-fetch-site": "cross-site" })).status).not.toBe(200);
    expect((await send("line-3/b", {})).status).toBe(401);
  });

  it("ends with its token", async () => {
    const { id, secret } = await platform.mint([Scope.READ]);
    const cookie = (await signIn(platform.http, secret)).headers.getSetCookie()[0]!.split(";")[0]!;
    expect((await caller(cookie)).status).toBe(200);
    await createClient(AdminService, platform.as(platform.adminToken)).revokeToken({ id });
    await expect.poll(async () => (await caller(cookie)).status).toBe(401);
  });

  it("is over once somebody signs out, also for whoever has a copy of the cookie", async () => {
    const cookie = (await signIn(platform.http, platform.adminToken)).headers.getSetCookie()[0]!.split(";")[0]!;
    expect((await caller(cookie)).status).toBe(200);
    const out = (more: Record<string, string> = {}) =>
      fetch(`${platform.http}/ui/session`, { method: "DELETE", headers: { cookie, origin: platform.http, ...more } });
    // Of a tab that shows another session.
    const refused = await out({ "telltale-session-id": "another" });
    expect([refused.status, refused.headers.getSetCookie()]).toEqual([401, []]);
    const { status, headers } = await caller(cookie);
    expect(status).toBe(200);
    expect((await out({ "telltale-session-id": headers.get("telltale-session-id")! })).status).toBe(204);
    expect((await caller(cookie)).status).toBe(401);
    expect((await out()).status).toBe(204);
  });

  it("is ended by an administrator, with its streams; by others it is not seen", async () => {
    const { secret } = await platform.mint([Scope.READ], "line-3/");
    const answer = await signIn(platform.http, secret, { origin: platform.http, "user-agent": "Firefox/140" });
    const cookie = answer.headers.getSetCookie()[0]!.split(";")[0]!;
    const transport = createConnectTransport({
      ...{ baseUrl: platform.http, httpVersion: "1.1" },
      interceptors: [
        (next) => (request) => {
          request.header.set("cookie", cookie);
          request.header.set("origin", platform.http);
          return next(request);
        },
      ],
    });
    const own = createClient(AdminService, transport);
    const { sessions } = await own.listSessions({});
    expect(sessions).toMatchObject([{ browser: "Firefox/140", current: true }]);
    const { id } = sessions[0]!;
    await expect(own.listSessions({ all: true })).rejects.toMatchObject({ code: Code.PermissionDenied });

    const stranger = createClient(AdminService, platform.as((await platform.mint([Scope.ADMIN], "line-4/")).secret));
    expect((await stranger.listSessions({})).sessions).toEqual([]);
    await expect(stranger.endSession({ id })).rejects.toMatchObject({ code: Code.NotFound });

    const watch = createClient(WatchService, transport).watchReadings({ sensorId: "line-3/a" })[Symbol.asyncIterator]();
    await watch.next();
    const admin = createClient(AdminService, platform.as(platform.adminToken));
    expect((await admin.listSessions({ all: true })).sessions.map((each) => each.id)).toContain(id);
    await admin.endSession({ id });
    expect((await caller(cookie)).status).toBe(401);
    await expect(ended(watch)).rejects.toMatchObject({ code: Code.Unauthenticated });
    // What it was begun with is as good as before.
    expect((await createClient(AdminService, platform.as(secret)).getCaller({})).sensorPrefix).toBe("line-3/");
    const { events } = await admin.listAuditEvents({ limit: 1 });
    expect(events[0]).toMatchObject({ principal: "admin", action: "session.end" });
  });

  it("any valid credential may ask who it is; none may not", async () => {
    const admin = createClient(AdminService, platform.as((await platform.mint([Scope.INGEST])).secret));
    expect(await admin.getCaller({})).toMatchObject({ scopes: [Scope.INGEST], authenticated: true });
    const nobody = createClient(AdminService, createGrpcTransport({ baseUrl: platform.grpc }));
    const error = await nobody.getCaller({}).catch(ConnectError.from);
    expect(error).toMatchObject({ code: Code.Unauthenticated });
  });
});
