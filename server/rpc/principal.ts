import { type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";

/** Who calls, and what the caller may reach. Every service reads it, also while there is only "anonymous". */
export interface Principal {
  /** For the audit log and for people, for example "token:line-3" or "anonymous". */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The caller reaches only sensors whose id begins so; empty: all. */
  readonly sensorPrefix: string;
  /** Of the bearer token, where there is one: long calls end when it is revoked. */
  readonly tokenId?: string;
  /** Wall clock time after which the credential is worth nothing. */
  readonly expiresAtMs?: number;
  /** A device known by its certificate sends as this producer and no other. */
  readonly producer?: string;
}

/** Whether the caller may know of, read or write this sensor. */
export function maySee(principal: Principal, sensorId: string): boolean {
  return sensorId.startsWith(principal.sensorPrefix);
}

/** Everyone, while no authentication is set up. */
export const anonymous: Principal = Object.freeze({
  name: "anonymous",
  scopes: new Set([Scope.INGEST, Scope.READ, Scope.OPERATE, Scope.ADMIN]),
  sensorPrefix: "",
});

export const principalKey: ContextKey<Principal> = createContextKey<Principal>(anonymous, {
  description: "who calls",
});

export function principalOf(context: Pick<HandlerContext, "values">): Principal {
  return context.values.get(principalKey);
}

/** The connection that a call came by. */
export interface Peer {
  /** The caller's address, for example "192.0.2.7"; of a proxy where there is one. */
  readonly address: string;
  /** Common name of the verified client certificate, where the connection has one. */
  readonly certificateName: string | undefined;
}

export const peerKey: ContextKey<Peer> = createContextKey<Peer>(
  { address: "", certificateName: undefined },
  { description: "the connection" },
);
