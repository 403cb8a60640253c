import type { Interceptor } from "@connectrpc/connect";
import type { Reading, SeriesBlock } from "../../gen/es/telltale/v1/reading_pb.ts";
import type { Clock } from "../clock.ts";
import { TelltaleError } from "../errors.ts";
import { type Principal, peerKey, principalKey } from "../rpc/principal.ts";
import { payerOf } from "./forwarded.ts";
import type { QuotaSettings } from "./settings.ts";
import { type Usage, windowMs } from "./usage.ts";

interface Batch {
  readonly readings: readonly Reading[];
  readonly blocks: readonly SeriesBlock[];
}

const ingestService = "telltale.v1.IngestService";

/**
 * Refuses what goes over a principal's quota with RESOURCE_EXHAUSTED and the time to wait. A device's stream over its rate of
 * readings is slowed first: it ends only when a single batch is larger than a second's worth.
 */
export function quotaInterceptor(settings: QuotaSettings, usage: Usage, clock: Clock): Interceptor {
  const nextWindowMs = () => windowMs - ((clock.nowUs() / 1_000) % windowMs);
  const countCall = async (who: string) => {
    if (settings.callsPerSecond === 0) return;
    const calls = await usage.add(`calls:${who}`, 1);
    if (calls > settings.callsPerSecond) throw over("calls a second", settings.callsPerSecond, nextWindowMs());
  };
  const countReadings = async (who: string, batch: Batch) => {
    await checkSensors(who, batch);
    if (settings.readingsPerSecond === 0) return 0;
    const total = await usage.add(`readings:${who}`, size(batch));
    return Math.max(0, total - settings.readingsPerSecond);
  };
  const checkSensors = async (who: string, { readings, blocks }: Batch) => {
    if (settings.sensors === 0) return;
    const sent = new Set([...readings, ...blocks].map(({ sensorId }) => sensorId));
    if (!(await usage.admit(who, sent, settings.sensors))) throw over("sensors", settings.sensors, undefined);
  };

  async function* slowed<T>(batches: AsyncIterable<T>, who: string, signal: AbortSignal): AsyncIterable<T> {
    for await (const batch of batches) {
      const excess = await countReadings(who, batch as Batch);
      // What is over this second's share is waited off at the allowed rate: the sender's window fills and it waits too.
      if (excess > 0) await delay(nextWindowMs() + (excess / settings.readingsPerSecond) * windowMs, signal);
      yield batch;
    }
  }
  async function* counted<T>(messages: AsyncIterable<T>, leave: () => void): AsyncIterable<T> {
    try {
      yield* messages;
    } finally {
      leave();
    }
  }
  /** A place among the caller's streams; given back by the function, and in any case when the call is over. */
  const enter = async (who: string, signal: AbortSignal) => {
    if (settings.streams === 0) return () => {};
    const leave = await usage.enter(who, settings.streams);
    if (leave === undefined) throw over("streams at once", settings.streams, windowMs);
    // A caller that goes before the first answer leaves a generator that was never begun, and its `finally` never runs.
    if (signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    return leave;
  };

  return (next) => async (request) => {
    const principal = request.contextValues.get(principalKey);
    const who = keyOf(principal, request.contextValues.get(peerKey).address);
    const ingest = request.service.typeName === ingestService;
    await countCall(who);
    if (!request.stream) {
      if (ingest && (await countReadings(who, request.message as unknown as Batch)) > 0) {
        throw over("readings a second", settings.readingsPerSecond, nextWindowMs());
      }
      return next(request);
    }
    const leave = await enter(who, request.signal);
    try {
      const message = ingest ? slowed(request.message, who, request.signal) : request.message;
      const response = await next({ ...request, message });
      return response.stream ? { ...response, message: counted(response.message, leave) } : response;
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/** Everyone without a name is counted by address. */
function keyOf({ tokenId, name }: Principal, address: string): string {
  if (tokenId !== undefined) return tokenId;
  return name === "anonymous" ? `address:${payerOf(address)}` : name;
}

function size({ readings, blocks }: Batch): number {
  return readings.length + blocks.reduce((sum, { values }) => sum + values.length, 0);
}

function over(what: string, limit: number, retryAfterMs: number | undefined): TelltaleError {
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new TelltaleError("exhausted", `Over the limit of ${limit} ${what}`, wait);
}

function delay(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}
