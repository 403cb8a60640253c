import { HttpRefusal } from "../protocol.ts";

/** Readings of one request, whatever its bytes unpack to: bounds its memory (some 60 MB) and the time that nothing else is done (a second). */
export const MAX_REQUEST_POINTS = 200_000;

/** Senders that divide what is too large do so after this status. */
export function tooMany(): HttpRefusal {
  const message = `the request holds more than ${MAX_REQUEST_POINTS} readings: send less at once`;
  return new HttpRefusal(413, "exhausted", message);
}
