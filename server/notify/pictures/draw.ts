/** A curve as SVG. It has no text: a server has no fonts, so that words stand beside the picture. */
import { breaksIn, valueRange } from "../../../formats/chart-frame.ts";
import type { Curve } from "./curve.ts";

/** Pixels: twice what a mail program shows, for screens with two pixels to a point. */
export const WIDTH = 1_200;
export const HEIGHT = 420;

/** The ground is the mail program's own, light or dark: each colour has a contrast of 3 and more to white and to near-black. */
export const COLOURS = { line: "#4a7bd0", band: "#2f8f87", alert: "#d9483b", grid: "#8a8a8a" } as const;

const LINE = 4;
/** The foot of the alert's stretch: colour is not its only sign. */
const FOOT = 14;
/** An alert that has just begun is seen on a phone too. */
const LEAST_STRETCH = 24;

const round = (x: number) => Math.round(x * 10) / 10;

export function drawCurve(curve: Curve): string {
  const { fromUs, toUs, timesUs, low, high, lower, upper, alert } = curve;
  const [bottom, top] = valueRange(curve);
  const x = (us: number) => round((WIDTH * (us - fromUs)) / (toUs - fromUs || 1));
  const y = (value: number) =>
    round(HEIGHT - (HEIGHT * (Math.min(top, Math.max(bottom, value)) - bottom)) / (top - bottom));
  const at = (i: number, value: number) => `${x(timesUs[i]!)},${y(value)}`;
  const bands = runs(timesUs, (i) => lower[i]! <= upper[i]!).flatMap((run) => {
    const above = run.map((i) => at(i, upper[i]!));
    const below = run.map((i) => at(i, lower[i]!));
    return [
      `<polygon points="${[...above, ...below.toReversed()].join(" ")}" fill="${COLOURS.band}" fill-opacity="0.25"/>`,
      ...[above, below].map((edge) => stroke(edge, COLOURS.band, 2)),
    ];
  });
  // From column to column by the nearer of its ends, so that the line goes up and down within a column only.
  const lines = runs(timesUs, () => true).map((run) =>
    stroke(
      run.flatMap((i, k) =>
        low[i] === high[i]
          ? [at(i, low[i]!)]
          : k % 2 === 0
            ? [at(i, low[i]!), at(i, high[i]!)]
            : [at(i, high[i]!), at(i, low[i]!)],
      ),
      COLOURS.line,
      LINE,
    ),
  );
  const [left, right] = [x(Math.max(fromUs, alert.fromUs)), x(Math.min(toUs, alert.toUs))];
  const width = round(Math.max(LEAST_STRETCH, right - left));
  const start = round(Math.min(left, WIDTH - width));
  const stretch = [
    `<rect x="${start}" y="0" width="${width}" height="${HEIGHT}" fill="${COLOURS.alert}" fill-opacity="0.2"/>`,
    `<rect x="${start}" y="${HEIGHT - FOOT}" width="${width}" height="${FOOT}" fill="${COLOURS.alert}"/>`,
  ];
  const frame = [1, HEIGHT - 1].map(
    (edge) => `<line x1="0" x2="${WIDTH}" y1="${edge}" y2="${edge}" stroke="${COLOURS.grid}" stroke-width="2"/>`,
  );
  const size = `width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>${[...stretch, ...bands, ...frame, ...lines].join("")}</svg>`;
}

/** A single point is a dot. */
function stroke(points: readonly string[], colour: string, width: number): string {
  const all = points.length === 1 ? [points[0], points[0]] : points;
  return `<polyline points="${all.join(" ")}" fill="none" stroke="${colour}" stroke-width="${width}" stroke-linejoin="round" stroke-linecap="round"/>`;
}

/** Stretches of elements that follow each other, without a gap in time, of which each is shown. */
function runs(timesUs: readonly number[], isShown: (i: number) => boolean): number[][] {
  const breaks = breaksIn(timesUs);
  const found: number[][] = [];
  let run: number[] | undefined;
  for (const i of timesUs.keys()) {
    if (!isShown(i) || breaks.has(i - 1)) run = undefined;
    if (!isShown(i)) continue;
    if (run === undefined) {
      run = [];
      found.push(run);
    }
    run.push(i);
  }
  return found;
}
