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
  /** The quarter of an hour that was asked for last, and how far clocks are ahead of UTC in it. */
  quarter: number;
  aheadMs: number;
}

const MINUTE_MS = 60_000;
/** Clocks are changed at quarters of an hour only. */
const QUARTER_MS = 15 * MINUTE_MS;
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
  const known = zoneOf(zone);
  const quarter = Math.floor(ms / QUARTER_MS);
  if (known.quarter !== quarter) {
    const startMs = quarter * QUARTER_MS;
    known.aheadMs = shown(startMs, known.format) - startMs;
    known.quarter = quarter;
  }
  return ms + known.aheadMs;
}

function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (zone === undefined) {
    const format = new Intl.DateTimeFormat("en-US-u-ca-gregory-nu-latn", {
      ...{ timeZone: name, hourCycle: "h23" },
      ...{ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" },
    });
    zone = { format, quarter: Number.NaN, aheadMs: 0 };
    zones.set(name, zone);
  }
  return zone;
}

function shown(ms: number, format: Intl.DateTimeFormat): number {
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute);
}
