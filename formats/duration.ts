// Prometheus' durations: each unit at most once, the larger before the smaller.
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const UNITS_MS = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000, 1];

/** Milliseconds of a duration such as `1h30m`; undefined where the text is none. */
export function durationMs(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (text === "0") return 0;
  if (match === null || text === "") return undefined;
  return UNITS_MS.reduce((sum, unit, i) => sum + unit * Number(match[i + 1] ?? 0), 0);
}

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "m"],
  [1_000, "s"],
  [1, "ms"],
];

/** Such as `1h30m`. */
export function durationText(ms: number): string {
  let left = ms;
  const parts = UNITS.map(([unit, name]) => {
    const count = Math.floor(left / unit);
    left -= count * unit;
    return count === 0 ? "" : `${count}${name}`;
  });
  return parts.join("") || "0s";
}
