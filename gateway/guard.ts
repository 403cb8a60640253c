/** Asks the services whether a caller may see what concerns every sensor, for pages that are not made of calls. */
import type { IncomingHttpHeaders } from "node:http";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { QueryService } from "../gen/es/telltale/v1/query_pb.ts";
import { type Answer, detail } from "./http.ts";
import { passedOn } from "./mesh/call.ts";

const TIMEOUT_MS = 5_000;

/** The refusal to send, or undefined where the caller may go on. */
export type Guard = (headers: IncomingHttpHeaders) => Promise<Answer | undefined>;

export function createGuard(grpcUrl: string): Guard {
  const query = createClient(QueryService, createGrpcTransport({ baseUrl: grpcUrl }));
  return async (given) => {
    const headers = passedOn(given as Record<string, string | undefined>);
    try {
      await query.getPlatformStats({}, { headers, timeoutMs: TIMEOUT_MS });
      return undefined;
    } catch (error) {
      const { code, rawMessage, metadata } = ConnectError.from(error);
      if (code === Code.Unauthenticated) return detail(401, rawMessage, { "www-authenticate": "Bearer" });
      if (code === Code.PermissionDenied) return detail(403, rawMessage);
      if (code === Code.ResourceExhausted)
        return detail(429, rawMessage, { "retry-after": metadata.get("retry-after") ?? "1" });
      return detail(503, "The platform cannot check the token now", { "retry-after": "1" });
    }
  };
}
