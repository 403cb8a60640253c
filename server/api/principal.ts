import { type ContextKey, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { anonymous, type Peer, type Principal } from "../security/principal.ts";

export const principalKey: ContextKey<Principal> = createContextKey<Principal>(anonymous, {
  description: "who calls",
});

export function principalOf(context: Pick<HandlerContext, "values">): Principal {
  return context.values.get(principalKey);
}

export const peerKey: ContextKey<Peer> = createContextKey<Peer>(
  { address: "", certificateName: undefined },
  { description: "the connection" },
);
