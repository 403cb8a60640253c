/** The stretch of time that a chart shows: relative to now and moving with it, or fixed. Milliseconds since 1970. */

export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What a sensor's page offers; the address takes every other range too. */
export const RANGES: readonly string[] = ["5m", "1h", "6h", "24h", "7d", "30d", "1y"];

/** A second of a fast sensor still shows single readings; a decade is more than anything keeps. */
export const MIN_MS = 1_000;
export const MAX_MS = 10 * 365 * 86_400_000;

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  y: 365 * 86_400_000,
};

/** Milliseconds of a range as the address has it, such as 24h or 3d; undefined where it is none that can be shown. */
export function rangeMs(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9})([smhdwy])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit ?? ""] ?? Number.NaN);
  return ms >= MIN_MS && ms <= MAX_MS ? ms : undefined;
}

/** @param at what stays where it is  @param factor below 1 shows less */
export function zoomed({ from, to }: Span, factor: number, at: number = (from + to) / 2): Span {
  const width = Math.min(MAX_MS, Math.max(MIN_MS, (to - from) * factor));
  const share = (at - from) / (to - from);
  const start = at - share * width;
  return { from: Math.round(start), to: Math.round(start + width) };
}

/** @param share of the width, to the right where positive */
export function panned({ from, to }: Span, share: number): Span {
  const by = Math.round((to - from) * share);
  return { from: from + by, to: to + by };
}

/** As the address has it: undefined where it is no time. */
export function timeOfQuery(text: string): number | undefined {
  if (text === "") return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

export function queryOfTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The span that an address asks for; undefined where it asks for none that can be shown. */
export function spanOfQuery(from: string, to: string): Span | undefined {
  const [start, end] = [timeOfQuery(from), timeOfQuery(to)];
  return start === undefined || end === undefined || end - start < MIN_MS ? undefined : { from: start, to: end };
}
