/** Inline SVG pictures. All coordinates are numbers of ours; all text goes through `safe`. */
import { day, number, percent, safe } from "./text.ts";

const WIDTH = 1000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const round = (x: number) => Math.round(x * 100) / 100;

interface Marked {
  /** Drawn across at this height. */
  readonly at: number;
  readonly label: string;
}

/**
 * Counts over time as bars, coloured by what they mean; `marks` are drawn across where they are not far above everything.
 *
 * @param slotMs width of a bar in time
 */
export function bars(
  counts: readonly number[],
  startMs: number,
  slotMs: number,
  marks: readonly Marked[],
  name: string,
): string {
  const [height, left, right, top, bottom] = [220, 44, 8, 14, 26];
  const most = Math.max(1, ...counts);
  const shown = marks.filter(({ at }) => at <= most * 2);
  const ceiling = niceCeiling(Math.max(most, ...shown.map(({ at }) => at)));
  const x = (slot: number) => left + ((WIDTH - left - right) * slot) / counts.length;
  const y = (count: number) => top + (height - top - bottom) * (1 - count / ceiling);
  const worst = Math.max(0, ...marks.map(({ at }) => at));
  const width = Math.max(1, round(x(1) - x(0) - (counts.length > 300 ? 0.3 : 1)));
  const columns = counts.map((count, slot) => {
    if (count === 0) return "";
    const colour = count > worst ? "bad" : count > (marks[0]?.at ?? worst) ? "warn" : "bar";
    const title = `<title>${safe(stamp(startMs + slot * slotMs))}: ${number(count)}</title>`;
    return `<rect class="${colour}" x="${round(x(slot))}" y="${round(y(count))}" width="${width}" height="${round(y(0) - y(count))}">${title}</rect>`;
  });
  const lines = shown.map(
    ({ at, label }) =>
      `<line class="mark" x1="${left}" x2="${WIDTH - right}" y1="${round(y(at))}" y2="${round(y(at))}"/><text class="note" x="${WIDTH - right}" y="${round(y(at) - 4)}" text-anchor="end">${safe(label)}</text>`,
  );
  const scale = ticks(ceiling).map(
    (tick) =>
      `<line class="grid" x1="${left}" x2="${WIDTH - right}" y1="${round(y(tick))}" y2="${round(y(tick))}"/><text class="note" x="${left - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${number(tick, 1)}</text>`,
  );
  const times = timeMarks(startMs, counts.length * slotMs).map(({ ms, label }) => {
    const at = round(x((ms - startMs) / slotMs));
    return `<line class="grid" x1="${at}" x2="${at}" y1="${y(0)}" y2="${y(0) + 5}"/><text class="note" x="${at}" y="${height - 8}" text-anchor="middle">${safe(label)}</text>`;
  });
  return svg(height, name, [...scale, ...columns, ...lines, ...times].join(""));
}

export interface Share {
  readonly label: string;
  readonly count: number;
  /** Class of the style sheet. */
  readonly colour: string;
}

/** Parts of a whole, side by side, with what they are beneath. */
export function shares(parts: readonly Share[], name: string): string {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return "";
  let x = 0;
  const blocks = parts
    .filter(({ count }) => count > 0)
    .map(({ label, count, colour }) => {
      const width = (WIDTH * count) / total;
      const from = x;
      x += width;
      const title = `<title>${safe(label)}: ${number(count)} (${percent((100 * count) / total)})</title>`;
      return `<rect class="${colour}" x="${round(from)}" y="0" width="${round(Math.max(1, width - 1))}" height="26">${title}</rect>`;
    });
  const keys = parts.map(
    ({ label, count, colour }) =>
      `<span class="key"><i class="${colour}"></i>${safe(label)} <b>${number(count)}</b> <small>${percent((100 * count) / total)}</small></span>`,
  );
  return `${svg(26, name, blocks.join(""), "none")}<p class="keys">${keys.join("")}</p>`;
}

/** One sensor's hours as cells: the fuller, the more of its usual readings came. */
export function strip(readings: readonly number[], usual: number, startMs: number, name: string): string {
  const width = WIDTH / readings.length;
  const cells = readings.map((count, hour) => {
    const share = usual === 0 ? 0 : Math.min(1, count / usual);
    const colour = share === 0 ? "none" : share < 0.9 ? "part" : "full";
    const opacity = colour === "part" ? ` opacity="${round(0.35 + 0.65 * (1 - share))}"` : "";
    const title = `<title>${safe(stamp(startMs + hour * HOUR_MS))}: ${number(count)} of ${number(usual, 1)}</title>`;
    return `<rect class="${colour}"${opacity} x="${round(hour * width)}" y="0" width="${round(Math.max(0.5, width - 0.7))}" height="18">${title}</rect>`;
  });
  return svg(18, name, cells.join(""), "none");
}

export interface Level {
  readonly ms: number;
  readonly mean: number;
}

/** A level over time, with the band where it used to be and a line where the report's range begins. */
export function spark(
  points: readonly Level[],
  mean: number,
  deviation: number,
  splitMs: number,
  name: string,
): string {
  const [width, height, edge] = [320, 46, 3];
  if (points.length < 2) return "";
  const [first, last] = [points[0]!.ms, points[points.length - 1]!.ms];
  const values = [...points.map((point) => point.mean), mean - deviation, mean + deviation];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const x = (ms: number) => round(edge + ((width - 2 * edge) * (ms - first)) / (last - first));
  const y = (level: number) => round(height - edge - ((height - 2 * edge) * (level - low)) / (high - low || 1));
  const line = (some: readonly Level[]) => some.map((point) => `${x(point.ms)},${y(point.mean)}`).join(" ");
  const split = points.findIndex(({ ms }) => ms >= splitMs);
  const before = split === -1 ? points : points.slice(0, split + 1);
  const after = split === -1 ? [] : points.slice(split);
  const band = `<rect class="band" x="0" y="${y(mean + deviation)}" width="${width}" height="${round(Math.max(1, y(mean - deviation) - y(mean + deviation)))}"/>`;
  const here = split === -1 ? "" : `<line class="mark" x1="${x(splitMs)}" x2="${x(splitMs)}" y1="0" y2="${height}"/>`;
  const lines = `<polyline class="was" points="${line(before)}"/><polyline class="is" points="${line(after)}"/>`;
  return `<svg class="spark" viewBox="0 0 ${width} ${height}" role="img" aria-label="${safe(name)}">${band}${here}${lines}</svg>`;
}

function svg(height: number, name: string, inside: string, fit = "xMidYMid meet"): string {
  const style = fit === "none" ? ` style="height:${height}px"` : "";
  return `<svg viewBox="0 0 ${WIDTH} ${height}" preserveAspectRatio="${fit}"${style} role="img" aria-label="${safe(name)}">${inside}</svg>`;
}

/** The end of a scale that its steps divide. */
function niceCeiling(most: number): number {
  const size = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 10].map((step) => step * size).find((end) => end >= most) ?? most;
}

function ticks(ceiling: number): number[] {
  const steps = ceiling <= 1 ? 1 : ceiling % 4 === 0 || ceiling < 4 ? Math.min(4, ceiling) : 5;
  return Array.from({ length: steps + 1 }, (_, i) => (ceiling * i) / steps);
}

/** Every few hours of a day, or each day of a longer time. */
function timeMarks(startMs: number, lengthMs: number): { ms: number; label: string }[] {
  const days = lengthMs / DAY_MS;
  const stepMs = days <= 0.5 ? HOUR_MS : days <= 2 ? 3 * HOUR_MS : days <= 10 ? DAY_MS : 4 * DAY_MS;
  const marks: { ms: number; label: string }[] = [];
  for (let ms = Math.ceil(startMs / stepMs) * stepMs; ms < startMs + lengthMs; ms += stepMs) {
    // At the very edge there is no room for words.
    const near = Math.min(ms - startMs, startMs + lengthMs - ms) < lengthMs / 40;
    marks.push({ ms, label: near ? "" : stepMs < DAY_MS ? new Date(ms).toISOString().slice(11, 16) : day(ms) });
  }
  return marks;
}

function stamp(ms: number): string {
  return `${day(ms)}, ${new Date(ms).toISOString().slice(11, 16)}`;
}
