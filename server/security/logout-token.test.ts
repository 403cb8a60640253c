import { createLocalJWKSet, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { createLogoutVerifier, LOGOUT_EVENT } from "./logout-token.ts";

const ISSUER = "https://idp.example";
const CLIENT = "telltale-console";
const keys = await generateKeyPair("ES256");
const others = await generateKeyPair("ES256");
const jwks = { keys: [{ ...(await exportJWK(keys.publicKey)), kid: "k1", alg: "ES256" }] };
const verify = createLogoutVerifier({ issuer: ISSUER }, CLIENT, createLocalJWKSet(jwks));

const seconds = () => Math.floor(Date.now() / 1_000);
/** Undefined leaves a claim out. */
function token(changes: Record<string, unknown> = {}, header: object = {}, key = keys.privateKey): Promise<string> {
  const claims = { iss: ISSUER, aud: CLIENT, iat: seconds(), jti: "t1", sub: "ann", sid: "s1" };
  const payload = { ...claims, events: { [LOGOUT_EVENT]: {} }, ...changes };
  return new SignJWT(JSON.parse(JSON.stringify(payload)) as JWTPayload)
    .setProtectedHeader({ alg: "ES256", kid: "k1", typ: "logout+jwt", ...header })
    .sign(key);
}

describe("a logout token of an identity provider", () => {
  it("names a person, a session, or both, and counts until it is too old", async () => {
    const made = await verify(await token());
    expect(made).toMatchObject({ subject: "ann", sid: "s1", jti: "t1" });
    // As long as it would be taken, clocks that differ included.
    expect(made!.endsMs).toBeGreaterThan(Date.now() + 600_000);
    expect(await verify(await token({ sid: undefined }))).toMatchObject({ subject: "ann", sid: undefined });
    expect(await verify(await token({ sub: undefined }))).toMatchObject({ subject: undefined, sid: "s1" });
    expect(await verify(await token({ aud: ["another", CLIENT] }))).toMatchObject({ jti: "t1" });
    // The type is new in the standard: older providers write another, or none.
    for (const typ of ["JWT", undefined]) expect(await verify(await token({}, { typ }))).toMatchObject({ jti: "t1" });
  });

  const worthless: [name: string, make: () => Promise<string>][] = [
    ["of another issuer", () => token({ iss: "https://evil.example" })],
    ["without an issuer", () => token({ iss: undefined })],
    ["for another client", () => token({ aud: "telltale-programs" })],
    ["without an audience", () => token({ aud: undefined })],
    ["without its time", () => token({ iat: undefined })],
    ["that is old", () => token({ iat: seconds() - 700 })],
    ["of a time to come", () => token({ iat: seconds() + 100 })],
    ["that has expired", () => token({ exp: seconds() - 60 })],
    ["without a name of its own", () => token({ jti: undefined })],
    ["with an empty name", () => token({ jti: "" })],
    ["without events", () => token({ events: undefined })],
    ["of another event", () => token({ events: { "http://schemas.openid.net/event/other": {} } })],
    ["with an event that is no object", () => token({ events: { [LOGOUT_EVENT]: true } })],
    ["with a nonce", () => token({ nonce: "n" })],
    ["that names nobody", () => token({ sub: undefined, sid: undefined })],
    ["with a session that is no text", () => token({ sid: 7 })],
    ["of another type", () => token({}, { typ: "at+jwt" })],
    ["signed by another key", () => token({}, {}, others.privateKey)],
  ];
  it.each(worthless)("is worth nothing %s", async (_, make) => {
    expect(await verify(await make())).toBeUndefined();
  });
});
