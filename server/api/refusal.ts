/** Refuses calls before anything of their body is read, in the words of whichever protocol they came by. */
import { type ConnectError, createConnectRouter } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { Health } from "../../gen/es/grpc/health/v1/health_pb.ts";

/** The handler that refuses a call of this content type. */
export type Refusal = (contentType: string) => UniversalHandler;

/** @param error makes the error for a path */
export function createRefusal(error: (path: string) => ConnectError): Refusal {
  // Connect knows how each protocol says it. Of the two handlers only their kinds matter: no call gets past the gate.
  const router = createConnectRouter({
    requestGate: ({ url }) => {
      throw error(new URL(url).pathname);
    },
  });
  router.service(Health, {});
  const handlerOf = (name: string) => router.handlers.find(({ method }) => method.name === name)!;
  const [unary, streaming] = [handlerOf("Check"), handlerOf("Watch")];
  return (contentType) => (contentType.startsWith("application/connect+") ? streaming : unary);
}
