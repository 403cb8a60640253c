import { MemoryBudget } from "../../lib/memory-budget.ts";
import { HttpRefusal } from "../protocol.ts";

/** Readings of one request, whatever its bytes unpack to: bounds its memory (some 60 MB) and the time that nothing else is done (a second). */
export const MAX_REQUEST_POINTS = 200_000;

/** Senders that divide what is too large do so after this status. */
export function tooMany(): HttpRefusal {
  const message = `the request holds more than ${MAX_REQUEST_POINTS} readings: send less at once`;
  return new HttpRefusal(413, "exhausted", message);
}

/** Of a reading while its request is under way. */
export const POINT_BYTES = 300;

/**
 * Of all requests at once: bodies, packed and unpacked, and the readings in them. Two requests of the greatest size, or some hundreds
 * as agents send them.
 */
const MEMORY_BYTES = 256 * 1024 * 1024;
/** Requests are answered within seconds. */
const RETRY_AFTER_MS = 1_000;

/** What all ingest protocols of a process share. */
export function protocolMemory(bytes: number = MEMORY_BYTES): MemoryBudget {
  const message = "requests under way take all the memory that there is for them: send it again later";
  return new MemoryBudget(bytes, () => new HttpRefusal(503, "exhausted", message, { retryAfterMs: RETRY_AFTER_MS }));
}
