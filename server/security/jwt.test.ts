import { createLocalJWKSet, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import { createJwtVerifier, remoteKeys } from "./jwt.ts";
import { LOGOUT_EVENT } from "./logout-token.ts";

const settings = {
  jwksUrl: "https://idp.example/keys",
  issuer: "https://idp.example",
  audience: "telltale",
  scopeClaim: "scope",
  prefixClaim: "sensor_prefix",
};
const keys = await generateKeyPair("ES256");
const others = await generateKeyPair("ES256");
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256" }] };
const verify = createJwtVerifier(settings, createLocalJWKSet(jwks));

const claims = { scope: "openid telltale:read ingest", sensor_prefix: "line-1/" };
interface Changes {
  readonly payload?: JWTPayload;
  readonly issuer?: string;
  readonly audience?: string;
  readonly expires?: string | null;
  readonly kid?: string;
  readonly header?: object;
}
function token(changes: Changes = {}, key = keys.privateKey): Promise<string> {
  const { payload = claims, issuer, audience, expires, kid, header } = changes;
  const made = new SignJWT(payload)
    .setProtectedHeader({ alg: "ES256", kid: kid ?? "k1", ...header })
    .setIssuer(issuer ?? settings.issuer)
    .setAudience(audience ?? settings.audience)
    .setSubject("ann");
  if (expires !== null) made.setExpirationTime(expires ?? "5m");
  return made.sign(key);
}
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString("base64url");

describe("a token of an OpenID Connect issuer", () => {
  it("brings the scopes and the prefix of its claims, and its end", async () => {
    const principal = await verify(await token());
    expect(principal).toMatchObject({ name: "jwt:ann", sensorPrefix: "line-1/" });
    expect([...principal!.scopes].sort()).toEqual([Scope.INGEST, Scope.READ]);
    expect(principal!.expiresAtMs).toBeGreaterThan(Date.now());
  });

  it("takes scopes from a list too, and none from anything else", async () => {
    const scopesOf = async (scope: unknown) => [
      ...(await verify(await token({ payload: { ...claims, scope } })))!.scopes,
    ];
    expect(await scopesOf(["operate", "nonsense", 7])).toEqual([Scope.OPERATE]);
    for (const scope of [undefined, null, 4, { admin: true }, "unspecified", "toString"]) {
      expect(await scopesOf(scope)).toEqual([]);
    }
  });

  it("reaches all sensors where it says so, or where its issuer's tokens are not limited", async () => {
    const all = await token({ payload: { ...claims, sensor_prefix: "*" } });
    expect(await verify(all)).toMatchObject({ sensorPrefix: "" });
    const unlimited = createJwtVerifier({ ...settings, prefixClaim: undefined }, createLocalJWKSet(jwks));
    expect(await unlimited(await token({ payload: { scope: "read" } }))).toMatchObject({ sensorPrefix: "" });
  });

  const unsigned = () => {
    const body = { iss: settings.issuer, aud: settings.audience, sub: "ann", exp: 9e9, scope: "admin" };
    return `${encode({ alg: "none" })}.${encode(body)}.`;
  };
  const bySharedSecret = async () => {
    // The public key taken for an HMAC secret.
    const secret = new TextEncoder().encode(await exportSPKI(keys.publicKey));
    return new SignJWT(claims)
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .setIssuer(settings.issuer)
      .setAudience(settings.audience)
      .setSubject("ann")
      .setExpirationTime("5m")
      .sign(secret);
  };
  const tampered = async () => {
    const [header, , signature] = (await token()).split(".");
    return `${header}.${encode({ ...claims, scope: "admin" })}.${signature}`;
  };
  const worthless: [string, () => Promise<string> | string][] = [
    ["without a signature (alg none)", unsigned],
    ["signed by HMAC with the public key", bySharedSecret],
    ["signed by another key", () => token({}, others.privateKey)],
    ["of a key that the issuer does not publish", () => token({ kid: "k2" }, others.privateKey)],
    [
      "that brings its own key",
      async () =>
        token({ header: { jwk: await exportJWK(others.publicKey), jku: "https://evil.example" } }, others.privateKey),
    ],
    ["with another payload than was signed", tampered],
    ["of another issuer", () => token({ issuer: "https://evil.example" })],
    ["for another audience", () => token({ audience: "other" })],
    ["that has expired", () => token({ expires: "-1m" })],
    ["that never expires", () => token({ expires: null })],
    ["with a prefix that is no text", () => token({ payload: { ...claims, sensor_prefix: { $ne: "" } } })],
    ["without a prefix", () => token({ payload: { scope: "read" } })],
    ["with a prefix that is null", () => token({ payload: { ...claims, sensor_prefix: null } })],
    ["with an empty prefix", () => token({ payload: { ...claims, sensor_prefix: "" } })],
    ["with a list of prefixes", () => token({ payload: { ...claims, sensor_prefix: ["line-1/"] } })],
    ["that says who signed out", () => token({ payload: { ...claims, events: { [LOGOUT_EVENT]: {} } } })],
    ["cut short", async () => (await token()).slice(0, -4)],
    ["that is empty between its dots", () => ".."],
  ];
  it.each(worthless)("is worth nothing %s", async (_, make) => {
    expect(await verify(await make())).toBeUndefined();
  });

  it("cannot be judged while the issuer does not answer: the caller is told to try again", async () => {
    const away = { ...settings, jwksUrl: "http://127.0.0.1:1/keys" };
    const alone = createJwtVerifier(away, remoteKeys(away));
    const failed = alone(await token());
    await expect(failed).rejects.toBeInstanceOf(TelltaleError);
    await expect(failed).rejects.toMatchObject({ kind: "unavailable", retryable: true });
  });
});
