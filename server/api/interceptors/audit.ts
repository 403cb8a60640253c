import type { Interceptor } from "@connectrpc/connect";
import { TelltaleError } from "../../errors.ts";
import { type Audit, audited } from "../../security/audit.ts";
import { principalKey } from "../principal.ts";

/**
 * Writes down each call of the table that succeeded, before it is answered: an answer means that it is on record. Where it cannot
 * be, the call fails with UNAVAILABLE; every one of them may be repeated.
 */
export function auditInterceptor(audit: Pick<Audit, "add">): Interceptor {
  return (next) => async (request) => {
    const entry = audited[`${request.service.typeName}/${request.method.name}`];
    const response = await next(request);
    if (entry === undefined || request.stream || response.stream) return response;
    if (entry.when?.(request.message, response.message) === false) return response;
    const principal = request.contextValues.get(principalKey).name;
    const target = entry.target(request.message, response.message);
    const detail = entry.detail?.(request.message, response.message) ?? "";
    try {
      await audit.add({ principal, action: entry.action, target, detail });
    } catch (error) {
      throw new TelltaleError("unavailable", "The change was made but could not be put on record: repeat it", {
        cause: error,
        retryAfterMs: 1_000,
      });
    }
    return response;
  };
}
