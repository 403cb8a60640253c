/** Durations and numbers as PromQL writes them. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ...{ y: 365 * 86_400_000, w: 7 * 86_400_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 },
};
const DURATION = /^(?:\d+(?:y|w|d|h|ms|m|s))+$/;

/** Milliseconds of a text such as `1h30m`; undefined where it is none. */
export function durationMs(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(y|w|d|h|ms|m|s)/g)) ms += Number(count) * UNIT_MS[unit!]!;
  return ms;
}

/** The value of a number, also of a duration, which is its seconds. */
export function numberOf(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const plain = text.replace(/^[+-]/, "").replaceAll("_", "").toLowerCase();
  if (plain === "inf") return sign * Number.POSITIVE_INFINITY;
  if (plain === "nan") return Number.NaN;
  const ms = durationMs(plain);
  return sign * (ms === undefined ? Number(plain) : ms / 1_000);
}
