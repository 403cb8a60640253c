/** Signing in to the console at a real identity provider, by the authorization code flow with PKCE. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import Provider from "oidc-provider";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AdminService } from "../../gen/es/telltale/v1/admin_pb.ts";
import { findingsOf, launchBrowser, openPage, type Watched } from "../../testing/browser.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { freePort } from "../../testing/processes.ts";

const CLIENT = { client_id: "telltale-console", client_secret: "s".repeat(40) };
/** What the provider says of each person. */
const PEOPLE: Readonly<Record<string, object>> = {
  ann: { telltale_scopes: ["read", "operate"], sensor_prefix: "line-3/" },
  bob: { telltale_scopes: ["read"] },
};
const CLAIMS = ["sub", "telltale_scopes", "sensor_prefix"];
/** The provider's own pages ask for them. */
const FONTS = /fonts\.googleapis\.com/;
const COOKIE = "telltale-session";
const ADMIN_TOKEN = "a".repeat(40);

function asAdmin(baseUrl: string) {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${ADMIN_TOKEN}`);
    return next(request);
  };
  return createGrpcTransport({ baseUrl, interceptors: [authorize] });
}

describeWith(["chromium"], "signing in at an identity provider", () => {
  let provider: Server;
  let issuer: string;
  let platform: Platform;
  let browser: Browser;

  beforeAll(async () => {
    const [own, console] = [await freePort(), await freePort()];
    // Another site than the console's, as providers are: cookies do not mind ports.
    issuer = `http://localhost:${own}`;
    const redirectUrl = `http://127.0.0.1:${console}/ui/session/oidc/callback`;
    const logoutUrl = `http://127.0.0.1:${console}/ui/session/oidc/backchannel-logout`;
    const oidc = new Provider(issuer, {
      clients: [
        {
          ...{ ...CLIENT, redirect_uris: [redirectUrl] },
          ...{ backchannel_logout_uri: logoutUrl, backchannel_logout_session_required: true },
        },
      ],
      features: { backchannelLogout: { enabled: true } },
      pkce: { required: () => true },
      claims: { openid: CLAIMS },
      // Its own refuses addresses of this machine.
      fetch: (address, { method, headers, body } = {}) =>
        fetch(address, { method: method!, headers: headers!, body: body!, redirect: "manual" }),
      conformIdTokenClaims: false,
      findAccount: (_, sub) => ({ accountId: sub, claims: async () => ({ sub, ...PEOPLE[sub] }) }),
    });
    provider = createServer(oidc.callback()).listen(own, "127.0.0.1");
    await once(provider, "listening");
    [platform, browser] = await Promise.all([
      startPlatform({
        ...{ AUTH: "on", ADMIN_TOKEN, PORT: String(console), OIDC_ISSUER: issuer, OIDC_JWKS_URL: `${issuer}/jwks` },
        ...{ OIDC_CLIENT_ID: CLIENT.client_id, OIDC_CLIENT_SECRET: CLIENT.client_secret },
        ...{ OIDC_REDIRECT_URL: redirectUrl, OIDC_SCOPE_CLAIM: "telltale_scopes" },
      }),
      launchBrowser(),
    ]);
  });
  afterAll(async () => {
    await browser?.close();
    await platform?.stop();
    provider?.close();
  });

  /** As a person who is asked for a name and for consent. */
  async function atProvider(page: Page, name: string) {
    await page.locator('input[name="login"]').fill(name);
    await page.locator('input[name="password"]').fill("any");
    await page.locator('button[type="submit"]').click();
    await page.getByRole("button", { name: "Continue" }).click();
  }
  async function opened() {
    const expected = [/status of 401/, new RegExp(issuer), FONTS];
    const watched = await openPage(browser, platform.http, { expected });
    await watched.context.route(FONTS, (route) => route.abort());
    return watched;
  }

  it("lets a person in with what the provider's claims allow, and leads back to where they were", async () => {
    const { context, page, wrong } = await opened();
    await page.goto(`${platform.http}/ui/sensors?sort=name`);
    const button = page.getByRole("button", { name: `Sign in with ${new URL(issuer).host}` });
    await button.waitFor();
    expect(await findingsOf(page)).toEqual([]);
    await button.click();
    await page.waitForURL((url) => url.origin === issuer);
    await atProvider(page, "ann");
    await page.getByRole("heading", { level: 1, name: "Sensors" }).waitFor();
    expect(page.url()).toBe(`${platform.http}/ui/sensors?sort=name`);
    await page.getByText("jwt:ann").first().waitFor();
    const cookies = await context.cookies(`${platform.http}/ui/session/oidc`);
    expect(cookies.filter(({ name }) => name.startsWith("telltale-"))).toMatchObject([
      { name: COOKIE, httpOnly: true, sameSite: "Strict" },
    ]);
    // Of her prefix alone: a report is of all sensors.
    await page.goto(`${platform.http}/ui/reports`);
    await page.getByText('Your token sees those that begin with "line-3/"').waitFor();

    // The ID token is good for an hour; an administrator ends the session before, and with it the live stream.
    const admin = createClient(AdminService, asAdmin(platform.grpc));
    const { sessions } = await admin.listSessions({ all: true });
    expect(sessions).toMatchObject([{ caller: "jwt:ann", browser: expect.stringContaining("Chrome") }]);
    await admin.endSession({ id: sessions[0]!.id });
    await button.waitFor();
    await button.click();
    await page.getByText('Your token sees those that begin with "line-3/"').waitFor();
    expect((await admin.listSessions({ all: true })).sessions).toHaveLength(1);
    await page.getByRole("button", { name: "Sign out" }).click();
    await button.waitFor();
    expect((await admin.listSessions({ all: true })).sessions).toEqual([]);
    expect(wrong).toEqual([]);
    await context.close();
  });

  it("signs a person out whom the provider has signed out, and nobody else", async () => {
    const admin = createClient(AdminService, asAdmin(platform.grpc));
    const people = [await opened(), await opened()];
    for (const { page } of people) {
      await page.goto(`${platform.http}/ui/alerts`);
      await page.getByRole("button", { name: /^Sign in with/ }).click();
      await page.waitForURL((url) => url.origin === issuer);
      await atProvider(page, "ann");
      await page.getByText("Live", { exact: true }).waitFor();
    }
    expect((await admin.listSessions({ all: true })).sessions).toHaveLength(2);
    const [{ page: leaving, context }, { page: staying }] = people as [Watched, Watched];
    const console = await context.newPage();
    await console.goto(`${platform.http}/ui/alerts`);
    await console.getByText("Live", { exact: true }).waitFor();
    await leaving.goto(`${issuer}/session/end`);
    await leaving.getByRole("button", { name: "Yes, sign me out" }).click();
    // The other tab of the same browser was told by nobody but the platform.
    await console.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    const { sessions } = await admin.listSessions({ all: true });
    expect(sessions.map(({ caller }) => caller)).toEqual(["jwt:ann"]);
    await staying.reload();
    await staying.getByText("Live", { exact: true }).waitFor();
    const { events } = await admin.listAuditEvents({});
    expect(events).toContainEqual(
      expect.objectContaining({
        ...{ principal: "anonymous", action: "session.end", detail: "1 session" },
        target: "sessions of jwt:ann at the identity provider",
      }),
    );

    // She signs out everywhere else herself.
    await staying.goto(`${platform.http}/ui/administration`);
    expect(await findingsOf(staying)).toEqual([]);
    await staying.getByRole("button", { name: "Sign out everywhere" }).click();
    await staying.getByRole("heading", { name: "Sign in to Telltale" }).waitFor();
    expect((await admin.listSessions({ all: true })).sessions).toEqual([]);
    await Promise.all(people.map((each) => each.context.close()));
  });

  it("believes nobody who says that a person has signed out", async () => {
    const say = (body: string, type = "application/x-www-form-urlencoded") =>
      fetch(`${platform.http}/ui/session/oidc/backchannel-logout`, {
        ...{ method: "POST", body, headers: { "content-type": type } },
      });
    const unsigned = [{ alg: "none" }, { iss: issuer, sub: "ann" }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString("base64url"),
    );
    const refused = [
      await say(""),
      await say("logout_token=made-up"),
      await say(`logout_token=${unsigned.join(".")}.`),
      await say("logout_token=a&logout_token=b"),
      await say('{"logout_token":"a"}', "application/json"),
    ];
    for (const answer of refused) {
      expect([answer.status, answer.headers.get("cache-control")]).toEqual([400, "no-store"]);
      expect(await answer.json()).toMatchObject({ error: "invalid_request" });
    }
  });

  it("says why nobody was let in, and begins no session", async () => {
    const { context, page } = await opened();
    await page.goto(`${platform.http}/ui/`);
    await page.getByRole("button", { name: /^Sign in with/ }).click();
    // Nothing says which sensors are his.
    await page.waitForURL((url) => url.origin === issuer);
    await atProvider(page, "bob");
    await page.getByText("nothing says what you may do here").waitFor();
    await page.goto(`${platform.http}/ui/session/oidc/callback?code=stolen&state=made-up`);
    await page.getByText("Signing in took too long").waitFor();
    expect((await context.cookies()).filter(({ name }) => name === COOKIE)).toEqual([]);
    await context.close();
  });

  it("takes no code that another browser asked for, and leads to no other site", async () => {
    const begin = async (to: string) =>
      fetch(`${platform.http}/ui/session/oidc?${new URLSearchParams({ to })}`, { redirect: "manual" });
    const answer = await begin("//evil.example");
    const asked = new URL(answer.headers.get("location")!).searchParams;
    expect(asked.get("code_challenge_method")).toBe("S256");
    const [cookie] = answer.headers.getSetCookie();
    expect(cookie).toMatch(/^telltale-sign-in=[\w-]+; Path=\/ui\/session\/oidc; Max-Age=600; HttpOnly; SameSite=Lax$/);
    const back = (state: string) =>
      fetch(`${platform.http}/ui/session/oidc/callback?${new URLSearchParams({ code: "x", state, iss: issuer })}`, {
        redirect: "manual",
        headers: { cookie: cookie!.split(";")[0]! },
      });
    for (const state of ["another", asked.get("state")!]) {
      const refused = await back(state);
      expect([refused.status, refused.headers.get("location")]).toEqual([303, "/ui/?sign_in=failed"]);
      expect(refused.headers.getSetCookie().filter((each) => each.startsWith(COOKIE))).toEqual([]);
    }
  });
});
