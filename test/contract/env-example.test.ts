import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadConfig } from "../../server/config.ts";
import type { Environment } from "../../server/environment.ts";

const text = readFileSync(new URL("../../.env.example", import.meta.url), "utf8");
const named = new Map([...text.matchAll(/^#?([A-Z][A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));

/** Every variable that the configuration asks for, given some. */
function asked(env: Environment): Set<string> {
  const names = new Set<string>();
  const spy = new Proxy(env, {
    get(target, name) {
      if (typeof name === "string") names.add(name);
      return Reflect.get(target, name);
    },
  });
  loadConfig(spy);
  return names;
}

test(".env.example names every variable that the configuration reads", () => {
  const tls = { AUTH: "on", TLS_CERT_FILE: "c", TLS_KEY_FILE: "k" };
  const oidc = { OIDC_JWKS_URL: "https://id.example/keys", OIDC_ISSUER: "i", OIDC_AUDIENCE: "a" };
  const names = new Set([...asked({}), ...asked({ ...tls, ...oidc })]);
  expect([...names].filter((name) => !named.has(name))).toEqual([]);
});

test(".env.example tells the defaults as they are", () => {
  const set = [...text.matchAll(/^([A-Z][A-Z_]+)=(.+)$/gm)].map(([, name, value]) => [name!, value!]);
  expect(loadConfig(Object.fromEntries(set))).toEqual(loadConfig({}));
});
