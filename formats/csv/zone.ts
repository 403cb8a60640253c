/** Local times of an IANA time zone to instants, with the hours that occur twice and those that do not occur. */
import { CsvProblem, quoted } from "./problem.ts";

const DAY_SECONDS = 86_400;

/** Which of the two instants a local time names that occurs twice, when clocks are set back. */
export type Dst = "refuse" | "earlier" | "later";

export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #dst: Dst;
  /** Offsets on both sides of a day, by its number: on most days they are the same. */
  readonly #days = new Map<number, readonly [before: number, after: number]>();

  constructor(name: string, dst: Dst = "refuse") {
    this.name = name;
    this.#dst = dst;
    try {
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: name,
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
        era: "short",
      });
    } catch (cause) {
      throw new CsvProblem(`--time-zone: there is no time zone ${quoted(name)}; wanted a name such as Europe/Berlin.`, {
        cause,
      });
    }
  }

  /**
   * @param local seconds since 1970-01-01T00:00:00 on the zone's clocks, whole
   * @returns seconds since 1970 in UTC, or why there is no one such instant
   */
  toUtc(local: number): number | string {
    if (this.name === "UTC") return local;
    const [before, after] = this.#around(local);
    const early = local - before;
    if (before === after) return early;
    const late = local - after;
    // Each candidate is one only if the zone's clocks do show the local time then.
    const candidates = [early, late].filter((utc) => utc + this.#offset(utc) === local);
    if (candidates.length === 0) return `does not occur in ${this.name}: the clocks were set forward`;
    if (candidates.length === 1) return candidates[0]!;
    if (this.#dst === "refuse") return `occurs twice in ${this.name}: --dst earlier or --dst later decides`;
    return this.#dst === "earlier" ? Math.min(...candidates) : Math.max(...candidates);
  }

  #around(local: number): readonly [number, number] {
    const day = Math.floor(local / DAY_SECONDS);
    let around = this.#days.get(day);
    if (around === undefined) {
      // A day on either side: no zone is further than that from UTC, and none changes twice in three days.
      around = [this.#offset((day - 1) * DAY_SECONDS), this.#offset((day + 2) * DAY_SECONDS)];
      if (this.#days.size > MOST_DAYS) this.#days.clear();
      this.#days.set(day, around);
    }
    return around;
  }

  /** Seconds that the zone's clocks are ahead of UTC. */
  #offset(utc: number): number {
    const parts = Object.fromEntries(this.#format.formatToParts(utc * 1000).map(({ type, value }) => [type, value]));
    const year = parts.era === "BC" ? 1 - Number(parts.year) : Number(parts.year);
    const date = new Date(0);
    date.setUTCFullYear(year, Number(parts.month) - 1, Number(parts.day));
    date.setUTCHours(Number(parts.hour), Number(parts.minute), Number(parts.second));
    return date.getTime() / 1000 - utc;
  }
}

/** A hundred years. */
const MOST_DAYS = 36_525;
