import { createHmac, randomBytes } from "node:crypto";
import { hashOf, sameHash } from "./secret.ts";

/**
 * A gateway calls the services for its own callers: whose call it is stands in this header as `address;signature`. Without a
 * valid signature the header is anybody's word and the connection's address counts. The gateway sends it under the same name.
 */
const header = "telltale-client";

export interface Forwarding {
  /** The header's value for a caller of the gateway. */
  sign(address: string): string;
  /** The address of the gateway's caller; undefined where the call did not come by a gateway of ours. */
  read(headers: Headers): string | undefined;
}

/** @param secret shared by gateways and services; without one, the gateway of this process alone is believed */
export function createForwarding(secret: string | undefined): Forwarding {
  const key = secret ?? randomBytes(32);
  const signature = (address: string) => createHmac("sha256", key).update(address).digest("base64url");
  return {
    sign: (address) => `${address};${signature(address)}`,
    read(headers) {
      const [address, given, more] = headers.get(header)?.split(";") ?? [];
      if (address === undefined || given === undefined || more !== undefined) return undefined;
      return sameHash(hashOf(given), hashOf(signature(address))) ? address : undefined;
    },
  };
}
