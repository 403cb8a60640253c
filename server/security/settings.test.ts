import { describe, expect, it } from "vitest";
import { loadConfig } from "../config.ts";
import { StartupError } from "../errors.ts";
import { createHostCheck, createOriginCheck } from "./hosts.ts";

const CALLBACK = "/ui/session/oidc/callback";
const OIDC = { AUTH: "on", OIDC_JWKS_URL: "https://idp.example/keys", OIDC_ISSUER: "https://idp.example" };
const SIGN_IN = { ...OIDC, OIDC_CLIENT_ID: "console", OIDC_REDIRECT_URL: `https://plant.example${CALLBACK}` };

describe("the security settings", () => {
  it("ask nobody for a credential by default, and serve this machine alone", () => {
    expect(loadConfig({})).toMatchObject({ bindAddress: "127.0.0.1", security: { auth: false } });
  });

  it("bound every caller where callers have tokens, unless told otherwise", () => {
    const limits = (env: Record<string, string>) => Object.values(loadConfig(env).security.limits);
    expect(limits({})).toEqual([0, 0, 0, 0]);
    expect(limits({ AUTH: "on" }).every((limit) => limit > 0)).toBe(true);
    expect(loadConfig({ AUTH: "on", LIMIT_SENSORS: "0" }).security.limits.sensors).toBe(0);
  });

  const refusals: [string, Record<string, string>, RegExp][] = [
    [
      "an open address without authentication",
      { BIND_ADDRESS: "0.0.0.0" },
      /AUTH=on.*ALLOW_UNAUTHENTICATED_NETWORK_ACCESS/,
    ],
    ["any address but the loopback's", { BIND_ADDRESS: "::" }, /^BIND_ADDRESS is "::"/],
    ["a name that only looks like the loopback", { BIND_ADDRESS: "127.0.0.1.example.org" }, /^BIND_ADDRESS/],
    [
      "an administrator's token that can be guessed",
      { AUTH: "on", ADMIN_TOKEN: "hunter2" },
      /^ADMIN_TOKEN has 7 characters/,
    ],
    ["keys over clear text", { AUTH: "on", OIDC_JWKS_URL: "http://idp.example.org/keys" }, /https address/],
    ["keys without an issuer", { AUTH: "on", OIDC_JWKS_URL: "https://idp.example.org/keys" }, /needs OIDC_ISSUER/],
    ["people who sign in, and are led nowhere", { ...OIDC, OIDC_CLIENT_ID: "c" }, /OIDC_REDIRECT_URL is not: set both/],
    [
      "a way back that is not the console's",
      { ...OIDC, OIDC_CLIENT_ID: "c", OIDC_REDIRECT_URL: "https://plant.example/ui/" },
      /the path \/ui\/session\/oidc\/callback/,
    ],
    [
      "a way back over clear text",
      { ...OIDC, OIDC_CLIENT_ID: "c", OIDC_REDIRECT_URL: `http://plant.example${CALLBACK}` },
      /https address/,
    ],
    [
      "a provider over clear text",
      {
        ...OIDC,
        OIDC_ISSUER: "http://idp.example",
        OIDC_CLIENT_ID: "c",
        OIDC_REDIRECT_URL: `https://p.example${CALLBACK}`,
      },
      /^OIDC_ISSUER is .*https address/,
    ],
    [
      "two secrets of a client",
      { ...SIGN_IN, OIDC_CLIENT_SECRET: "one", OIDC_CLIENT_SECRET_FILE: "two" },
      /^OIDC_CLIENT_SECRET and OIDC_CLIENT_SECRET_FILE are both set/,
    ],
    ["a secret that is not there", { ...SIGN_IN, OIDC_CLIENT_SECRET_FILE: "/no/such/file" }, /cannot be read/],
    ["keys that nobody uses", { OIDC_JWKS_URL: "https://i/k", OIDC_ISSUER: "i", OIDC_AUDIENCE: "a" }, /AUTH is off/],
    ["a certificate without its key", { TLS_CERT_FILE: "c" }, /needs TLS_KEY_FILE/],
    ["a key without its certificate", { TLS_KEY_FILE: "k" }, /needs TLS_CERT_FILE/],
    [
      "client certificates that nobody can check",
      { TLS_CERT_FILE: "c", TLS_KEY_FILE: "k", TLS_CLIENT_CERTIFICATES: "required" },
      /needs TLS_CLIENT_CA_FILE/,
    ],
    [
      "client certificates that nobody asks for",
      { TLS_CERT_FILE: "c", TLS_KEY_FILE: "k", TLS_CLIENT_CA_FILE: "a" },
      /AUTH is off/,
    ],
  ];
  it.each(refusals)("refuse %s", (_, env, sentence) => {
    expect(() => loadConfig(env)).toThrow(StartupError);
    expect(() => loadConfig(env)).toThrow(sentence);
  });

  it("take tokens of programs and of people who sign in", () => {
    const { oidc } = loadConfig({ ...SIGN_IN, OIDC_AUDIENCE: "programs" }).security;
    expect(oidc).toMatchObject({ audience: ["programs", "console"], signIn: { scopes: "openid" } });
    expect(loadConfig(SIGN_IN).security.oidc?.audience).toEqual(["console"]);
    expect(() => loadConfig(OIDC)).toThrow(/needs OIDC_AUDIENCE/);
  });

  it("never repeat the administrator's token", () => {
    expect(() => loadConfig({ AUTH: "on", ADMIN_TOKEN: "hunter2" })).not.toThrow(/hunter2/);
  });

  it("let an open address be had by a variable whose name says what it does", () => {
    const env = { BIND_ADDRESS: "0.0.0.0", ALLOW_UNAUTHENTICATED_NETWORK_ACCESS: "true" };
    expect(loadConfig(env).bindAddress).toBe("0.0.0.0");
    expect(loadConfig({ BIND_ADDRESS: "0.0.0.0", AUTH: "on" }).security.auth).toBe(true);
  });
});

describe("the Host header", () => {
  const open = loadConfig({});
  const check = createHostCheck(open.security, open.bindAddress);

  it.each(["localhost", "localhost:8000", "LOCALHOST.", "127.0.0.1:50051", "127.8.9.1", "[::1]:8000"])(
    "%s is one of ours",
    (host) => expect(check(host)).toBe(true),
  );

  it.each(["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8000", "192.168.1.5", "", "[::2]", "0.0.0.0"])(
    "%s is refused where nobody is asked for a credential",
    (host) => expect(check(host)).toBe(false),
  );

  it("does not matter where a credential is asked for", () => {
    const closed = loadConfig({ AUTH: "on", BIND_ADDRESS: "0.0.0.0" });
    expect(createHostCheck(closed.security, closed.bindAddress)("telltale.example")).toBe(true);
  });
});

describe("the origin of a page", () => {
  const allows = (env: Record<string, string>) => {
    const config = loadConfig(env);
    return createOriginCheck(config.security, config.allowedHosts);
  };
  const mayCall = (check: ReturnType<typeof allows>) => (origin: string) => check(origin) !== "no";

  it("is one of this machine's where nobody is asked for a credential, or one that is named", () => {
    const check = allows({ ALLOWED_HOSTS: '["*", "https://plant.example"]' });
    const own = ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:8000", "https://plant.example"];
    expect(own.filter(mayCall(check))).toEqual(own);
    const foreign = [
      "https://evil.example",
      "null",
      "http://localhost.evil.example",
      "https://localhost@evil.example",
      "",
    ];
    expect(foreign.filter(mayCall(check))).toEqual([]);
  });

  it("is any where the list says so and a credential is asked for", () => {
    const named = { AUTH: "on", ALLOWED_HOSTS: '["https://plant.example"]' };
    expect(allows({ AUTH: "on" })("https://evil.example")).toBe("yes");
    expect(allows(named)("https://evil.example")).toBe("no");
    // What the browser keeps is for those alone that are named.
    expect(allows(named)("https://plant.example")).toBe("with credentials");
  });
});
