import type { Interceptor } from "@connectrpc/connect";
import { TelltaleError } from "../../errors.ts";
import { FairQueue } from "../../lib/fair-queue.ts";
import { callerOf } from "../../security/principal.ts";
import { rowsRead } from "../../security/rows.ts";
import { takesReadings } from "../ingest-services.ts";
import { peerKey, principalKey } from "../principal.ts";

/** Below the connections that questions have to the database, and few enough that readings are taken in between. */
const AT_ONCE = 6;
/** Of one caller: a GraphQL operation of 20 lists ten times over. */
const MAX_WAITING = 200;
/** Rows that take a millisecond to find and to write. */
const ROWS_A_MS = 50;
/** From here on a call is a heavy one: a caller's small questions do not wait behind those. */
const HEAVY_MS = 5;

/** A caller that comes back sooner finds the same queue. */
const RETRY_AFTER_MS = 1_000;

/** Ask nothing of the database that others would wait for. */
const UNQUEUED = new Set(["GetPlatformHealth", "Check", "List"]);

/** Calls with one response take turns between callers, by what they cost. Readings that come in never wait for questions. */
export function fairInterceptor(): Interceptor {
  const queue = new FairQueue({ atOnce: AT_ONCE, maxWaiting: MAX_WAITING, refusal, nowMs: () => performance.now() });
  return (next) => async (request) => {
    if (request.stream || takesReadings(request.service) || UNQUEUED.has(request.method.name)) {
      return next(request);
    }
    const cost = 1 + rowsRead(request.method.name, request.message) / ROWS_A_MS;
    const who = callerOf(request.contextValues.get(principalKey), request.contextValues.get(peerKey).address);
    const flow = `${who}/${cost >= HEAVY_MS ? "heavy" : "light"}`;
    return queue.run(flow, cost, request.signal, () => next(request));
  };
}

function refusal(waiting: number): TelltaleError {
  const message = `${waiting} of your calls wait already: ask for less at once`;
  return new TelltaleError("exhausted", message, { retryAfterMs: RETRY_AFTER_MS });
}
