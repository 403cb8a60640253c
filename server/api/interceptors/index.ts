import type { Interceptor } from "@connectrpc/connect";
import type { Security } from "../../security/security.ts";
import { auditInterceptor } from "./audit.ts";
import { fairInterceptor } from "./fair.ts";
import { producerInterceptor } from "./producer.ts";
import { quotaInterceptor } from "./quota.ts";
import { sessionsInterceptor } from "./sessions.ts";

/** What security asks of each call of the contract, outermost first. */
export function securityInterceptors({ sessions, quota, audit }: Security): Interceptor[] {
  return [
    sessionsInterceptor(sessions),
    ...(quota === undefined ? [] : [quotaInterceptor(quota)]),
    fairInterceptor(),
    producerInterceptor,
    auditInterceptor(audit),
  ];
}
