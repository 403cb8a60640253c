import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { COOKIE, Sealer } from "./cookie.ts";
import { isNavigation, isOwnPage, Sessions } from "./sessions.ts";

const HOUR = 3_600_000;
const SECRET = "shared by the gateways";
const OPTIONS = { grpcUrl: "http://127.0.0.1:1", auth: true, secret: SECRET };
const OWN = { host: "plant.example", "sec-fetch-site": "same-origin" };

function credentialAt(nowMs: number, usedMs: number, headers: Record<string, string> = OWN) {
  const options = { ...OPTIONS, nowMs: () => nowMs };
  const cookie = `${COOKIE}=${new Sealer(SECRET).seal({ id: "s1", token: "t", begunMs: 0, usedMs })}`;
  return new Sessions(options).credential({ ...headers, cookie });
}

test("the cookie of our own page is a credential, for as long as the session lasts", () => {
  expect(credentialAt(1_000, 0)).toEqual({
    id: "s1",
    authorization: "Console s1 t",
    renewed: undefined,
    endsMs: 12 * HOUR,
  });
  expect(credentialAt(HOUR, 0)).toBeUndefined();
  expect(credentialAt(12 * HOUR, 12 * HOUR - 1)).toBeUndefined();
});

test("a session that is used goes on, but not beyond its time", () => {
  const [, value] = /=([^;]+)/.exec(credentialAt(11.5 * HOUR, 11 * HOUR)?.renewed ?? "") ?? [];
  expect(new Sealer(SECRET).open(value!)).toEqual({ id: "s1", token: "t", begunMs: 0, usedMs: 11.5 * HOUR });
  expect(credentialAt(11.5 * HOUR, 11 * HOUR)?.renewed).toContain("Max-Age=1800;");
});

test("a cookie that a version before made, whose session nobody can end, is none", () => {
  const cookie = `${COOKIE}=${new Sealer(SECRET).seal({ token: "t", begunMs: 0, usedMs: 0 })}`;
  expect(new Sessions({ ...OPTIONS, nowMs: () => 1 }).credential({ ...OWN, cookie })).toBeUndefined();
});

test("where the services do not answer, signing out removes the cookie and says what it did not do", async () => {
  const cookie = `${COOKIE}=${new Sealer(SECRET).seal({ id: "s1", token: "t", begunMs: 0, usedMs: 0 })}`;
  const sessions = new Sessions({ ...OPTIONS, nowMs: () => 1 });
  const answer = await sessions.signOut({ headers: { ...OWN, cookie } } as unknown as IncomingMessage);
  expect(answer).toMatchObject({ status: 503, headers: { "set-cookie": expect.stringContaining("Max-Age=0") } });
});

test("a page signs the session out that it shows, and no other", async () => {
  const cookie = `${COOKIE}=${new Sealer(SECRET).seal({ id: "s1", token: "t", begunMs: 0, usedMs: 0 })}`;
  const sessions = new Sessions({ ...OPTIONS, nowMs: () => 1 });
  const out = (more: Record<string, string>) =>
    sessions.signOut({ headers: { ...OWN, ...more } } as unknown as IncomingMessage);
  const answer = await out({ cookie, "telltale-session-id": "s2" });
  expect([answer.status, answer.headers?.["set-cookie"]]).toEqual([401, undefined]);
  // The services are asked to end its own: they do not answer here.
  expect((await out({ cookie, "telltale-session-id": "s1" })).status).toBe(503);
  // A session that is over is nobody's.
  expect((await out({ "telltale-session-id": "s1" })).status).toBe(204);
});

test("what is for a window to show comes from the window, or from the service worker in between", () => {
  const isShown = (mode: string, dest: string) => isNavigation({ "sec-fetch-mode": mode, "sec-fetch-dest": dest });
  expect([isShown("navigate", "document"), isShown("navigate", "empty")]).toEqual([true, true]);
  expect([isShown("navigate", "iframe"), isShown("navigate", "object"), isNavigation({})]).toEqual(
    Array(3).fill(false),
  );
  expect([isShown("cors", "empty"), isShown("same-origin", "empty")]).toEqual([false, false]);
});

test("the cookie of any other page counts for nothing", () => {
  for (const site of ["cross-site", "same-site", "none"])
    expect(credentialAt(1, 0, { host: "plant.example", "sec-fetch-site": site })).toBeUndefined();
  expect(credentialAt(1, 0, { host: "plant.example", origin: "https://evil.example" })).toBeUndefined();
  expect(credentialAt(1, 0, { host: "plant.example" })).toBeUndefined();
  expect(credentialAt(1, 0, { host: "plant.example", origin: "https://plant.example" })).toBeDefined();
});

test("a header that says who calls counts before the cookie", () => {
  expect(credentialAt(1, 0, { ...OWN, authorization: "Bearer other" })).toBeUndefined();
});

test("a page says where it is from in one of two ways", () => {
  expect(isOwnPage({ host: "a:1", origin: "http://a:2" })).toBe(false);
  expect(isOwnPage({ host: "a:1", origin: "http://a:1" })).toBe(true);
  // What a browser says itself is believed before what could be anything.
  expect(isOwnPage({ host: "a:1", origin: "http://a:1", "sec-fetch-site": "cross-site" })).toBe(false);
});

describe("the cookie is sent back by TLS alone", () => {
  const site = { "sec-fetch-site": "same-origin" };
  test.each([
    ["where the page's origin says so, as behind a proxy", true, { host: "a:1", origin: "https://a:1", ...site }],
    ["where an older browser gives no more than that", true, { host: "a:1", origin: "https://a:1" }],
    ["not of a page by clear text", false, { host: "a:1", origin: "http://a:1" }],
    ["where the browser says whose page it is, which it does by TLS alone", true, { host: "a:1", ...site }],
    ["where its origin is nobody's", true, { host: "a:1", origin: "null", ...site }],
    ["not on this machine, where browsers say so without TLS", false, { host: "localhost:8000", ...site }],
    // Anybody may say so, and no proxy is known to be ours.
    ["not because a header of a proxy says so", false, { host: "[::1]", ...site, "x-forwarded-proto": "https" }],
  ])("%s", async (_, secure, headers) => {
    const out = await new Sessions(OPTIONS).signOut({ headers } as unknown as IncomingMessage);
    expect(out.headers!["set-cookie"]!.endsWith("; Secure")).toBe(secure);
  });

  test("always where the listener speaks it itself", async () => {
    const headers = { host: "localhost", ...site };
    const out = await new Sessions({ ...OPTIONS, tls: true }).signOut({ headers } as unknown as IncomingMessage);
    expect(out.headers!["set-cookie"]).toMatch(/; Secure$/);
  });
});
