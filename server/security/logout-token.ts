import { type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { ALGORITHMS, CLOCK_TOLERANCE_SECONDS, unlessUnknown } from "./jwt.ts";
import type { OidcSettings } from "./settings.ts";

/** What an identity provider says of a person who signed out there. */
export interface Logout {
  /** The person; undefined: the session alone is named. */
  readonly subject: string | undefined;
  /** The person's session at the provider; undefined: all of them have ended. */
  readonly sid: string | undefined;
  /** A token counts once. */
  readonly jti: string;
  /** Wall clock: afterwards it is too old to count. */
  readonly endsMs: number;
}

export type LogoutVerifier = (token: string) => Promise<Logout | undefined>;

export const LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout";
/** Providers send them at once, and some try again for minutes. */
const MAX_AGE_SECONDS = 600;
const TYPES = [undefined, "jwt", "logout+jwt"];

/**
 * Recognises logout tokens by OpenID Connect Back-Channel Logout 1.0, section 2.6; undefined for one that does not count. Whether it came before,
 * whoever ends the sessions finds out. Throws "unavailable" where the issuer's keys cannot be had.
 *
 * @param clientId of the console at the issuer: tokens of other clients are none of ours
 */
export function createLogoutVerifier(
  { issuer }: Pick<OidcSettings, "issuer">,
  clientId: string,
  keys: JWTVerifyGetKey,
): LogoutVerifier {
  const options = {
    ...{ algorithms: ALGORITHMS, issuer, audience: clientId, clockTolerance: CLOCK_TOLERANCE_SECONDS },
    // With it `iat` has to be there, and not to come.
    maxTokenAge: MAX_AGE_SECONDS,
    requiredClaims: ["jti", "events"],
  };
  return (token) =>
    unlessUnknown(async () => {
      const { payload, protectedHeader } = await jwtVerify(token, keys, options);
      return TYPES.includes(protectedHeader.typ?.toLowerCase()) ? logoutOf(payload) : undefined;
    });
}

function logoutOf({ events, nonce, sub, sid, jti, iat }: JWTPayload): Logout | undefined {
  const event = isObject(events) ? events[LOGOUT_EVENT] : undefined;
  // A nonce would make an ID token of it.
  if (!isObject(event) || nonce !== undefined || !isText(jti)) return undefined;
  if ((sub !== undefined && !isText(sub)) || (sid !== undefined && !isText(sid))) return undefined;
  if (sub === undefined && sid === undefined) return undefined;
  return { subject: sub, sid: sid as string | undefined, jti, endsMs: (iat! + MAX_AGE_SECONDS + 60) * 1_000 };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the database keeps has no NUL, and an end. */
function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= 500 && !value.includes("\0");
}
