import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { TelltaleError } from "../errors.ts";
import { payerOf } from "../lib/payer.ts";

/** Who calls, and what the caller may reach. Every service reads it, also while there is only "anonymous". */
export interface Principal {
  /** For the audit log and for people, for example "token:line-3" or "anonymous". */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The caller reaches only sensors whose id begins so; empty: all. */
  readonly sensorPrefix: string;
  /** Of the bearer token, where there is one: long calls end when it is revoked. */
  readonly tokenId?: string;
  /** Of a browser that is signed in to the console: what it calls ends with the session. */
  readonly sessionId?: string;
  /** Wall clock time after which the credential is worth nothing. */
  readonly expiresAtMs?: number;
  /** Whom an identity provider's token names, and in which session there; undefined: it is another credential. */
  readonly provider?: { readonly subject: string; readonly sid: string | undefined };
  /** A device known by its certificate sends as this producer and no other. */
  readonly producer?: string;
}

/** Whether the caller may know of, read or write this sensor. */
export function canAccessSensor(principal: Principal, sensorId: string): boolean {
  return sensorId.startsWith(principal.sensorPrefix);
}

/** Everyone, while no authentication is set up. */
export const anonymous: Principal = Object.freeze({
  name: "anonymous",
  scopes: new Set([Scope.INGEST, Scope.READ, Scope.OPERATE, Scope.ADMIN]),
  sensorPrefix: "",
});

/** Whoever has a link, before it is read: counted by address, and without any right. */
export const nobody: Principal = Object.freeze({ name: anonymous.name, scopes: new Set<Scope>(), sensorPrefix: "" });

/** The connection that a call came by. */
export interface Peer {
  /** The caller's address, for example "192.0.2.7"; of a proxy where there is one. */
  readonly address: string;
  /** Common name of the verified client certificate, where the connection has one. */
  readonly certificateName: string | undefined;
}

/** Who is counted: a token, a name, or everyone without one by address. */
export function callerOf({ tokenId, name }: Principal, address: string): string {
  if (tokenId !== undefined) return tokenId;
  return name === "anonymous" ? `address:${payerOf(address)}` : name;
}

/** Tells one caller from all others: names of tokens may be the same. */
export function callerKeyOf({ tokenId, name }: Principal): string {
  return tokenId === undefined ? `name:${name}` : `token:${tokenId}`;
}

/** @throws TelltaleError "forbidden" where a device sends as another producer than the one that its certificate names */
export function checkProducer({ producer }: Principal, sent: string): void {
  if (producer === undefined || sent === "" || sent === producer) return;
  throw new TelltaleError(
    "forbidden",
    `The certificate is that of producer "${producer}", not of "${sent.slice(0, 100)}"`,
  );
}
