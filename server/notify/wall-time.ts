/** What the clocks and calendars of a time zone show. */

export interface WallTime {
  readonly minute: number;
  readonly weekday: number;
  readonly day: number;
  readonly daysInMonth: number;
  readonly month: number;
  readonly year: number;
}

interface Zone {
  /** Making one takes a hundred times as long as using it. */
  readonly format: Intl.DateTimeFormat;
  /** How far clocks are ahead of UTC in the quarters of an hour that were asked for lately. */
  readonly aheadMs: Map<number, number>;
}

const MINUTE_MS = 60_000;
/** Clocks are changed at quarters of an hour only. */
const QUARTER_MS = 15 * MINUTE_MS;
/** Half a day of them: who looks from minute to minute, and some hours back from each, finds all but the new ones. */
const KEPT_QUARTERS = 48;
/** There are as many as there are time zones. */
const zones = new Map<string, Zone>();

/** `us`: microseconds since the epoch; `zone`: an IANA name. */
export function wallTime(us: number, zone: string): WallTime {
  const local = new Date(localMs(us, zone));
  const [year, month] = [local.getUTCFullYear(), local.getUTCMonth() + 1];
  return {
    ...{ year, month, day: local.getUTCDate(), weekday: local.getUTCDay() },
    minute: local.getUTCHours() * 60 + local.getUTCMinutes(),
    daysInMonth: new Date(Date.UTC(year, month, 0)).getUTCDate(),
  };
}

/** What the zone's clocks show, as milliseconds since 1970-01-01T00:00 on them. */
export function localMs(us: number, zone: string): number {
  const ms = Math.floor(us / 1_000);
  const { format, aheadMs } = zoneOf(zone);
  const quarter = Math.floor(ms / QUARTER_MS);
  const known = aheadMs.get(quarter);
  if (known !== undefined) return ms + known;
  const startMs = quarter * QUARTER_MS;
  const found = shown(startMs, format) - startMs;
  if (aheadMs.size >= KEPT_QUARTERS) aheadMs.delete(aheadMs.keys().next().value!);
  aheadMs.set(quarter, found);
  return ms + found;
}

/** Clocks go back by less. */
const LONGEST_REPETITION_MS = 3 * 60 * MINUTE_MS;

/**
 * As `localMs`, but it never goes back: while clocks show again what they have shown, it is the moment before they were changed. What follows
 * from it happens once.
 */
export function dutyMs(us: number, zone: string): number {
  const now = localMs(us, zone);
  const earlierUs = us - LONGEST_REPETITION_MS * 1_000;
  // Where as much time has passed on the clocks as in truth they were not set back lately.
  if (now - localMs(earlierUs, zone) >= LONGEST_REPETITION_MS) return now;
  let latest = now;
  const quarterUs = QUARTER_MS * 1_000;
  for (let end = Math.floor(us / quarterUs) * quarterUs; end > earlierUs; end -= quarterUs)
    latest = Math.max(latest, localMs(end - 1_000, zone));
  return latest;
}

function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      ...{ timeZone: name, hourCycle: "h23" },
      ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" },
    });
    zone = { format, aheadMs: new Map() };
    zones.set(name, zone);
  }
  return zone;
}

function shown(ms: number, format: Intl.DateTimeFormat): number {
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute);
}
