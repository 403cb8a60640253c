import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { MAX_SENSOR_ID } from "../../formats/sensor-id.ts";
import type { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { Principal } from "./principal.ts";
import { scopeOf } from "./rules.ts";
import type { OidcSettings } from "./settings.ts";

// Asymmetric only: with HS256 a public key could be taken for a shared secret, and "none" is no signature.
export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];
export const CLOCK_TOLERANCE_SECONDS = 5;
const jwksTimeoutMs = 5_000;
/** The claim of a token that is to reach all sensors: said, never left out. */
const everySensor = "*";

export type JwtVerifier = (token: string) => Promise<Principal | undefined>;

/**
 * Recognises the tokens of an OpenID Connect issuer. Undefined for a token that is not valid; throws "unavailable" where the
 * issuer's keys cannot be had. Scopes are those of ours that the claim names, "read" or "telltale:read".
 */
export function createJwtVerifier(settings: OidcSettings, keys: JWTVerifyGetKey): JwtVerifier {
  const { issuer, audience } = settings;
  const options = {
    ...{ algorithms: ALGORITHMS, issuer, audience },
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    requiredClaims: ["exp", "sub"],
  };
  return (token) =>
    unlessUnknown(async () => {
      const { payload } = await jwtVerify(token, keys, options);
      // A logout token says who has gone, and lets nobody in.
      return payload.events === undefined ? principalOf(payload, settings) : undefined;
    });
}

/** Undefined for a token that the issuer did not sign, or not so; throws "unavailable" where the issuer's keys cannot be had. */
export async function unlessUnknown<T>(verify: () => Promise<T>): Promise<T | undefined> {
  try {
    return await verify();
  } catch (error) {
    // The generic one is an answer of the issuer that is no key set.
    const known = error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC";
    if (!known || error instanceof errors.JWKSTimeout) {
      throw new TelltaleError("unavailable", "Tokens cannot be checked now", { cause: error, retryAfterMs: 1_000 });
    }
    return undefined;
  }
}

export function remoteKeys({ jwksUrl }: OidcSettings): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: jwksTimeoutMs });
}

function principalOf(payload: JWTPayload, { scopeClaim, prefixClaim }: OidcSettings): Principal | undefined {
  const sensorPrefix = prefixClaim === undefined ? "" : prefixOf(payload[prefixClaim]);
  if (sensorPrefix === undefined) return undefined;
  return {
    name: `jwt:${payload.sub}`,
    scopes: scopesOf(payload[scopeClaim]),
    sensorPrefix,
    expiresAtMs: (payload.exp as number) * 1_000,
    provider: { subject: payload.sub!, sid: typeof payload.sid === "string" ? payload.sid : undefined },
  };
}

/** What a claim limits a token to. One that is absent, empty or not understood must not widen what the token reaches: undefined. */
function prefixOf(claim: unknown): string | undefined {
  if (claim === everySensor) return "";
  // A prefix longer than any id reaches nothing.
  const good = typeof claim === "string" && claim !== "" && [...claim].length <= MAX_SENSOR_ID;
  return good ? claim : undefined;
}

function scopesOf(claim: unknown): Set<Scope> {
  const names = typeof claim === "string" ? claim.split(" ") : Array.isArray(claim) ? claim : [];
  return new Set(
    names
      .filter((name): name is string => typeof name === "string")
      .map((name) => scopeOf(name.replace(/^telltale:/, "")))
      .filter((scope) => scope !== undefined),
  );
}
