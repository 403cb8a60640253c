/** Finds what somebody may have meant by a name that does not exist. */
import { distance } from "fastest-levenshtein";

/** Other fields' words for the same thing: no distance finds them. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  observedat: ["timestamp", "time", "ts", "date", "datetime", "measuredat"],
  starttime: ["from", "since", "start", "begin", "after"],
  endtime: ["to", "until", "end", "before"],
  sensorid: ["id", "sensor", "device", "deviceid", "name"],
  sensortype: ["type", "kind"],
  metadata: ["meta", "tags", "labels", "attributes"],
  limit: ["count", "size", "top", "first", "pagesize", "perpage"],
  offset: ["skip"],
};
/** Of a name of so many letters this many may be wrong: more finds names that nobody meant. */
const aThird = (letters: number) => Math.ceil(letters / 3);
/** No name that exists is near this long; the distance takes the product of the lengths. */
const MAX_LENGTH = 100;

/** The known name nearest to `name`, whatever its case and separators, or undefined where none is near. */
export function nearest(name: string, known: Iterable<string>, maxFaults = aThird): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const wanted = bare(name);
  let best: string | undefined;
  let least = maxFaults(wanted.length) + 1;
  for (const candidate of known) {
    const other = bare(candidate);
    const far = ALIASES[other]?.includes(wanted) ? 0 : distance(wanted, other);
    // A name of a few letters is near to every other one.
    if (far >= least || far >= other.length - 1) continue;
    best = candidate;
    least = far;
  }
  return best;
}

/** `; did you mean observed_at?`, or nothing. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const meant = nearest(name, known);
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

function bare(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}
