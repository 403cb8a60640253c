/** When a forecast crossing of a limit is an early alert: from when on, and until when. Pure. */
import type { Crossing } from "./crossing.ts";

/** Probability of the crossing from which on an alert opens, and below which it is over. */
const OPENS = 0.7;
const CLOSES = 0.4;
/** Looks in a row that find it improbable until it is over. */
const CALM_LOOKS = 2;

/**
 * Of one limit: nothing is said; an early alert is open, with the looks in a row that found the crossing improbable; or nothing is said until it is
 * improbable again: after the limit was crossed, or a person closed the alert.
 */
export type Approach =
  | { readonly state: "quiet" }
  | { readonly state: "open"; readonly calm: number }
  | { readonly state: "barred" };

export const QUIET: Approach = { state: "quiet" };
export const BARRED: Approach = { state: "barred" };

/** What a look makes of it. `nowUs`: the log's time, so that no alert is of a crossing that should have been by then. */
export function approach(before: Approach, crossing: Crossing | undefined, nowUs: number): Approach {
  const probability = crossing?.probability ?? 0;
  const calm = probability < CLOSES;
  if (before.state === "barred") return calm ? QUIET : BARRED;
  if (before.state === "open") {
    const looks = calm ? before.calm + 1 : 0;
    return looks < CALM_LOOKS ? { state: "open", calm: looks } : QUIET;
  }
  const expectedUs = crossing?.expectedUs ?? Number.NEGATIVE_INFINITY;
  return probability >= OPENS && expectedUs > nowUs ? { state: "open", calm: 0 } : QUIET;
}
