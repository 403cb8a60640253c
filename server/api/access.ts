/** What a request says of who asks, by whichever protocol it came. */
import type { HandlerContext } from "@connectrpc/connect";
import type { Forwarding } from "../security/forwarded.ts";
import type { Peer } from "../security/principal.ts";
import type { AccessRequest, Security } from "../security/security.ts";
import { peerKey, principalKey } from "./principal.ts";

/** How this listener asks whether a request may be made. */
export interface Access {
  readonly authorize: Security["authorize"];
  /** Whose call a gateway hands on. */
  readonly forwarding: Pick<Forwarding, "read">;
}

/** @param url of the request, absolute */
export function accessRequest(
  { forwarding }: Access,
  action: string,
  request: { readonly headers: Headers; readonly url: string; readonly peer: Peer },
): AccessRequest {
  const { headers, url, peer } = request;
  const client = forwarding.read(headers);
  return {
    action,
    credential: headers.get("authorization"),
    // A gateway's connection is its own: what that proves is not the caller's.
    peer: client === undefined ? peer : { address: client, certificateName: undefined },
    page: {
      origin: headers.get("origin") ?? undefined,
      secFetchSite: headers.get("sec-fetch-site") ?? undefined,
      host: new URL(url).host,
    },
  };
}

/** Refuses calls of the contract by the one table of rules, and says to the services who calls. */
export function createGate(access: Access): (context: HandlerContext) => Promise<void> {
  return async ({ service, method, requestHeader: headers, values, url }) => {
    const action = `${service.typeName}/${method.name}`;
    const request = accessRequest(access, action, { headers, url, peer: values.get(peerKey) });
    values.set(peerKey, request.peer);
    values.set(principalKey, await access.authorize(request));
  };
}
