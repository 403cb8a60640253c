import type { Interceptor } from "@connectrpc/connect";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { onAbort, until } from "../../lib/signals.ts";
import { callerOf } from "../../security/principal.ts";
import type { BatchSize, Quota } from "../../security/quota.ts";
import { rowsOf } from "../../security/rows.ts";
import { takesReadings } from "../ingest-services.ts";
import { peerKey, principalKey } from "../principal.ts";

/** Rows that count as one call more. */
const ROWS_A_CALL = 100;

/**
 * Refuses what goes over a caller's quota with RESOURCE_EXHAUSTED and the time to wait. A device's stream over its rate of readings
 * is slowed instead: its window fills, and the device waits too.
 */
export function quotaInterceptor(quota: Quota): Interceptor {
  async function* slowed<T>(batches: AsyncIterable<T>, caller: string, signal: AbortSignal): AsyncIterable<T> {
    for await (const batch of batches) {
      await quota.takeSlowly(caller, batch as unknown as BatchSize, signal);
      yield batch;
    }
  }
  return (next) => async (request) => {
    const caller = callerOf(request.contextValues.get(principalKey), request.contextValues.get(peerKey).address);
    const ingest = request.service.typeName === IngestService.typeName;
    await quota.call(
      caller,
      takesReadings(request.service) || request.stream ? 1 : weightOf(request.method.name, request.message),
    );
    if (!request.stream) {
      if (ingest) await quota.take(caller, request.message as unknown as BatchSize);
      return next(request);
    }
    const leave = await quota.enter(caller);
    // A caller that goes before the first answer leaves a generator that was never begun, and its `finally` never runs.
    const offSignal = onAbort(request.signal, leave);
    const end = () => {
      offSignal();
      leave();
    };
    try {
      const message = ingest ? slowed(request.message, caller, request.signal) : request.message;
      const response = await next({ ...request, message });
      return response.stream ? { ...response, message: until(response.message, end) } : response;
    } catch (error) {
      end();
      throw error;
    }
  };
}

/** A question counts by the rows that it may bring; of the first hundred it is one call. */
function weightOf(method: string, message: object): number {
  return Math.max(1, Math.ceil(rowsOf(method, message) / ROWS_A_CALL));
}
