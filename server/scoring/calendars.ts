import type { Holidays as HolidayDates } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { TimeZoneRules } from "../../gen/es/telltale/v1/log_pb.ts";
import { type Holidays, type ZoneRules, zoneRules } from "../detect/index.ts";

/** Different ones that are remembered; beyond, equal ones are no longer kept once. */
const REMEMBERED = 1000;
const DAY_MS = 86_400_000;
/** 1970-01-01 was a Thursday: Monday, 1 in the contract, is 4 days later. */
const MONDAY = 4;
const SUNDAY = 7;

/** Time zones and holidays of records, as the detector takes them: those of many sensors that are equal are in memory once. */
export class Calendars {
  readonly #zones = new Map<number, ZoneRules>();
  readonly #holidays = new Map<string, Holidays>();

  /** Undefined where the record has no rules: then it names no zone. */
  zone(rules: TimeZoneRules | undefined): ZoneRules | undefined {
    if (rules === undefined) return undefined;
    const { firstOffset, changeAt, changeTo } = rules;
    const changes = changeAt.map((at, i) => ({ atUs: Number(at) * 1e6, offsetUs: (changeTo[i] ?? 0) * 1e6 }));
    const made = zoneRules(firstOffset * 1e6, changes);
    return remembered(this.#zones, made.number, made);
  }

  holidays(given: HolidayDates | undefined): Holidays | undefined {
    if (given === undefined) return undefined;
    const days = [...new Set(given.dates.map(dayOf))].filter(Number.isFinite).sort((a, b) => a - b);
    const restDay = ((given.like === 0 ? SUNDAY : given.like) - 1 + MONDAY) % 7;
    return remembered(this.#holidays, `${restDay} ${days.join()}`, { days, restDay });
  }
}

/** Days since 1970 of YYYY-MM-DD; NaN where it is no date. */
function dayOf(date: string): number {
  return Date.parse(`${date}T00:00:00Z`) / DAY_MS;
}

function remembered<K, V>(known: Map<K, V>, key: K, made: V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  if (known.size >= REMEMBERED) known.clear();
  known.set(key, made);
  return made;
}
