import { describe, expect, it } from "vitest";
import { loadConfig } from "../config.ts";
import { createActCheck } from "./act.ts";
import { isSafeFromPages, rules } from "./rules.ts";

function check(env: Record<string, string> = {}) {
  const config = loadConfig(env);
  const mayAct = createActCheck(config.security, config.allowedHosts);
  return (origin?: string, more: { secFetchSite?: string; host?: string } = {}) =>
    mayAct({ origin, secFetchSite: more.secFetchSite, host: more.host ?? "127.0.0.1:8000" }) === undefined;
}

describe("without authentication", () => {
  it("programs act, and pages of our own", () => {
    const may = check();
    expect(may()).toBe(true);
    expect(may("http://127.0.0.1:8000")).toBe(true);
    expect(may("HTTP://127.0.0.1:8000")).toBe(true);
    expect(may("https://plant.example", { host: "plant.example" })).toBe(true);
    expect(may("http://plant.example", { host: "plant.example:80" })).toBe(true);
    expect(may("http://[::1]:8000", { host: "[::1]:8000" })).toBe(true);
    for (const secFetchSite of ["same-origin", "none"]) expect(may(undefined, { secFetchSite })).toBe(true);
  });

  it.each([
    "https://evil.example",
    "null",
    "",
    "*",
    "http://127.0.0.1:8001",
    "http://localhost:8000",
    "http://127.0.0.1:8000.evil.example",
    "http://evil.example@127.0.0.1:8000x",
    "file://",
    "chrome-extension://127.0.0.1:8000",
  ])("a page of %j does not, also under the star", (origin) => {
    expect(check()(origin)).toBe(false);
    expect(check({ ALLOWED_HOSTS: '["*"]' })(origin)).toBe(false);
    expect(check()(origin, { secFetchSite: "same-origin" })).toBe(false);
  });

  it("a page that does not say its origin does not where the browser says that it is another's", () => {
    for (const secFetchSite of ["cross-site", "same-site"]) expect(check()(undefined, { secFetchSite })).toBe(false);
  });

  it("a page of a named origin does", () => {
    const may = check({ ALLOWED_HOSTS: '["*", "https://plant.example", "http://localhost:5173/"]' });
    expect(may("https://plant.example", { secFetchSite: "cross-site" })).toBe(true);
    expect(may("http://localhost:5173")).toBe(true);
    expect(may("http://plant.example")).toBe(false);
    expect(may("https://plant.example:444")).toBe(false);
  });

  it("the refusal says what to set", () => {
    const config = loadConfig({});
    const refusal = createActCheck(config.security, config.allowedHosts);
    const said = refusal({ origin: "https://evil.example", secFetchSite: undefined, host: "x" });
    expect(said).toMatch(/ALLOWED_HOSTS.*AUTH=on/);
    expect(said).not.toContain("evil");
  });
});

it("with authentication the credential decides", () => {
  expect(check({ AUTH: "on" })("https://evil.example")).toBe(true);
});

it("calls that only look are those that need no more than to read", () => {
  const acting = Object.keys(rules).filter((name) => !isSafeFromPages(rules[name]!));
  expect(acting).toEqual(
    expect.arrayContaining([
      "telltale.v1.IngestService/StreamReadings",
      "telltale.v1.IngestService/SubmitReadings",
      "telltale.v1.AlertService/ResolveAlert",
      "telltale.v1.DetectorService/SetDetectorConfig",
      "telltale.v1.AdminService/CreateToken",
      "telltale.v1.AdminService/ListTokens",
    ]),
  );
  expect(acting).not.toContain("telltale.v1.QueryService/ListReadings");
  expect(acting).not.toContain("grpc.health.v1.Health/Check");
});
