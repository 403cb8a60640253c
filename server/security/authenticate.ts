import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import type { ConsoleSessions } from "./console-sessions.ts";
import type { JwtVerifier } from "./jwt.ts";
import type { Peer, Principal } from "./principal.ts";
import { hashOf, idOf, sameHash } from "./secret.ts";
import type { TokenRecord, Tokens } from "./tokens.ts";

/** Who calls; throws TelltaleError "unauthenticated" where the credential is missing or worth nothing. */
export type Authenticator = (authorization: string | null, peer: Peer) => Promise<Principal>;

export interface AuthenticatorOptions {
  readonly tokens: Tokens;
  readonly consoleSessions: ConsoleSessions;
  /** The secret of the first administrator. */
  readonly adminToken: string;
  readonly jwt: JwtVerifier | undefined;
}

const BEARER = /^Bearer ([\x21-\x7e]+)$/i;
/** What the gateway makes of a browser's cookie: the session, and the token that it began with. */
const CONSOLE = /^Console ([\w-]+) ([\x21-\x7e]+)$/;

const everything = new Set([Scope.INGEST, Scope.READ, Scope.OPERATE, Scope.ADMIN]);

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { tokens, consoleSessions, adminToken, jwt } = options;
  const adminHash = hashOf(adminToken);
  const ofToken = async (secret: string): Promise<Principal> => {
    if (sameHash(hashOf(secret), adminHash)) return { name: "admin", scopes: everything, sensorPrefix: "" };
    const record = idOf(secret) === undefined ? undefined : await tokens.verify(secret);
    const principal = record === undefined ? await jwt?.(secret) : principalOf(record);
    // One sentence for every way to be wrong: which it was is nobody's business.
    if (principal === undefined) throw unauthenticated("The token is unknown, expired or revoked");
    return principal;
  };
  return async (authorization, peer) => {
    if (authorization === null) return fromCertificate(peer);
    const [, sessionId, ofSession] = CONSOLE.exec(authorization) ?? [];
    if (sessionId !== undefined && ofSession !== undefined) {
      const principal = await ofToken(ofSession);
      if (!(await consoleSessions.isOpen(sessionId))) throw unauthenticated("The session is over: sign in again");
      consoleSessions.used(sessionId);
      return { ...principal, sessionId };
    }
    const secret = BEARER.exec(authorization)?.[1];
    if (secret === undefined) throw unauthenticated('The authorization header must read "Bearer" and a token');
    return ofToken(secret);
  };
}

function principalOf({ id, name, scopes, sensorPrefix, expiresAt }: TokenRecord): Principal {
  const ends = expiresAt === undefined ? {} : { expiresAtMs: expiresAt.getTime() };
  return { name: `token:${name}`, scopes, sensorPrefix, tokenId: id, ...ends };
}

/** A device that the certificate names sends readings as the producer of that name, and does nothing else. */
function fromCertificate({ certificateName: name }: Peer): Principal {
  if (name === undefined) throw unauthenticated("Say who calls: send a bearer token in the authorization header");
  return { name: `device:${name}`, scopes: new Set([Scope.INGEST]), sensorPrefix: "", producer: name };
}

function unauthenticated(message: string): TelltaleError {
  return new TelltaleError("unauthenticated", message);
}
