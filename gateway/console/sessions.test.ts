import { expect, test } from "vitest";
import { COOKIE, Sealer } from "./cookie.ts";
import { isOwnPage, Sessions } from "./sessions.ts";

const HOUR = 3_600_000;
const SECRET = "shared by the gateways";
const OWN = { host: "plant.example", "sec-fetch-site": "same-origin" };

function credentialAt(nowMs: number, usedMs: number, headers: Record<string, string> = OWN) {
  const options = { grpcUrl: "http://127.0.0.1:1", auth: true, secret: SECRET, nowMs: () => nowMs };
  const cookie = `${COOKIE}=${new Sealer(SECRET).seal({ token: "t", begunMs: 0, usedMs })}`;
  return new Sessions(options).credential({ ...headers, cookie });
}

test("the cookie of our own page is a credential, for as long as the session lasts", () => {
  expect(credentialAt(1_000, 0)).toEqual({ authorization: "Bearer t", renewed: undefined, endsMs: 12 * HOUR });
  expect(credentialAt(HOUR, 0)).toBeUndefined();
  expect(credentialAt(12 * HOUR, 12 * HOUR - 1)).toBeUndefined();
});

test("a session that is used goes on, but not beyond its time", () => {
  const [, value] = /=([^;]+)/.exec(credentialAt(11.5 * HOUR, 11 * HOUR)?.renewed ?? "") ?? [];
  expect(new Sealer(SECRET).open(value!)).toEqual({ token: "t", begunMs: 0, usedMs: 11.5 * HOUR });
  expect(credentialAt(11.5 * HOUR, 11 * HOUR)?.renewed).toContain("Max-Age=1800;");
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
