/** Time zone and holidays of sensors, as data: what is known of a zone is in the log, not asked of the machine. */

/** Offsets of a time zone. */
export interface ZoneRules {
  /** Stands for the rules in saved state, the same in every process; 0: UTC. */
  readonly number: number;
  /** Local time less UTC before the first change, µs. */
  readonly firstOffsetUs: number;
  /** Each in force from its time on, in order of time. */
  readonly changes: readonly ZoneChange[];
}

export interface ZoneChange {
  readonly atUs: number;
  readonly offsetUs: number;
}

export interface Holidays {
  /** Days since 1970 by local time, rising. */
  readonly days: readonly number[];
  /** The weekday whose course counts on them, 0 = Thursday. */
  readonly restDay: number;
}

/** What a profile needs of both; undefined: UTC without holidays. */
export interface Calendar {
  /** Equal where the contents are. */
  readonly key: string;
  readonly zone: ZoneRules | undefined;
  readonly holidays: Holidays | undefined;
}

export function zoneRules(firstOffsetUs: number, changes: readonly ZoneChange[]): ZoneRules {
  const isUtc = firstOffsetUs === 0 && changes.every(({ offsetUs }) => offsetUs === 0);
  const text = [firstOffsetUs, ...changes.flatMap(({ atUs, offsetUs }) => [atUs, offsetUs])].join();
  return { number: isUtc ? 0 : numberOf(text), firstOffsetUs, changes };
}

export function calendarOf(zone: ZoneRules | undefined, holidays: Holidays | undefined): Calendar | undefined {
  const hasZone = zone !== undefined && zone.number !== 0;
  const hasDays = holidays !== undefined && holidays.days.length > 0;
  if (!hasZone && !hasDays) return undefined;
  const days = hasDays ? `${holidays.restDay}:${holidays.days.join()}` : "";
  return {
    key: `${hasZone ? zone.number : 0} ${days}`,
    zone: hasZone ? zone : undefined,
    holidays: hasDays ? holidays : undefined,
  };
}

/** 53 bits of a text (FNV-1a with two bases), never 0. */
function numberOf(text: string): number {
  let low = 0x811c9dc5;
  let high = 0x01234567;
  for (let i = 0; i < text.length; i++) {
    low = Math.imul(low ^ text.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ text.charCodeAt(i), 0x01000193);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0) || 1;
}
