/** Pictures of a run as SVG: no script, no font and no library from elsewhere. */

const WIDTH = 860;
const HEIGHT = 240;
const LEFT = 64;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 34;
const plot = { width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };

export interface Line {
  readonly name: string;
  /** Class that has the colour in the page's style. */
  readonly style: string;
  /** By second; NaN leaves a gap. */
  readonly values: readonly number[];
}

interface Scale {
  at(value: number): number;
  readonly ticks: readonly number[];
}

/** Values over the seconds of the run. */
export function overTime(lines: readonly Line[], axis: { readonly name: string; readonly log?: boolean }): string {
  const all = lines.flatMap(({ values }) => values).filter(Number.isFinite);
  const y = axis.log ? logScale(Math.min(...all), Math.max(...all)) : linearScale(Math.max(1, ...all));
  const seconds = Math.max(1, ...lines.map(({ values }) => values.length - 1));
  const x = (second: number) => LEFT + (second / seconds) * plot.width;
  const paths = lines.map(({ style, values }) => {
    let d = "";
    let pen = "M";
    values.forEach((value, second) => {
      if (!Number.isFinite(value)) pen = "M";
      else {
        d += `${pen}${x(second).toFixed(1)} ${y.at(value).toFixed(1)}`;
        pen = "L";
      }
    });
    return `<path class="${style}" d="${d}"/>`;
  });
  const step = niceStep(seconds / 8);
  const marks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
  const ticks = marks.map((second) => label(x(second), HEIGHT - 16, `${short(second)} s`));
  return svg(axis.name, grid(y) + ticks.join("") + paths.join("") + legend(lines));
}

export interface Bars {
  readonly name: string;
  readonly style: string;
  readonly buckets: readonly { readonly fromMs: number; readonly toMs: number; readonly count: number }[];
}

/** How many took how long; the axis of time is logarithmic. */
export function distribution(bars: readonly Bars[], axis: { readonly name: string }): string {
  const all = bars.flatMap(({ buckets }) => buckets);
  const from = Math.log(Math.min(...all.map(({ fromMs }) => fromMs)));
  const to = Math.log(Math.max(...all.map(({ toMs }) => toMs)));
  const x = (ms: number) => LEFT + ((Math.log(ms) - from) / Math.max(1e-9, to - from)) * plot.width;
  const y = linearScale(Math.max(1, ...all.map(({ count }) => count)));
  const areas = bars.map(({ style, buckets }) => {
    const rects = buckets.map(({ fromMs, toMs, count }) => {
      const top = y.at(count);
      const width = Math.max(1, x(toMs) - x(fromMs) - 0.5);
      return `<rect x="${x(fromMs).toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="${(HEIGHT - BOTTOM - top).toFixed(1)}"/>`;
    });
    return `<g class="${style}">${rects.join("")}</g>`;
  });
  const marks = logTicks(Math.exp(from), Math.exp(to)).map((ms) => label(x(ms), HEIGHT - 16, milliseconds(ms)));
  return svg(axis.name, grid(y) + marks.join("") + areas.join("") + legend(bars));
}

/** "3.2 ms", "1.4 s". */
export function milliseconds(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  return ms < 1000 ? `${short(ms)} ms` : `${short(ms / 1000)} s`;
}

export function short(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

function svg(name: string, content: string): string {
  const head = `viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${name}"`;
  return `<svg ${head}>${label(LEFT, 10, name, "start")}${content}</svg>`;
}

function grid({ at, ticks }: Scale): string {
  const line = (value: number) => {
    const y = at(value).toFixed(1);
    const text = label(LEFT - 6, at(value) + 4, short(value), "end");
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>${text}`;
  };
  return ticks.map(line).join("");
}

function legend(lines: readonly { readonly name: string; readonly style: string }[]): string {
  let x = WIDTH - RIGHT;
  return [...lines]
    .reverse()
    .map(({ name, style }) => {
      x -= 7 * name.length + 28;
      const mark = `<rect class="${style} mark" x="${x}" y="2" width="12" height="8"/>`;
      return mark + label(x + 16, 10, name, "start");
    })
    .join("");
}

function label(x: number, y: number, text: string, anchor = "middle"): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${text}</text>`;
}

function linearScale(max: number): Scale {
  const step = niceStep(max / 4);
  const top = Math.ceil(max / step) * step;
  const ticks = Array.from({ length: Math.round(top / step) + 1 }, (_, i) => i * step);
  return { ticks, at: (value) => TOP + 8 + (1 - value / top) * (plot.height - 8) };
}

function logScale(min: number, max: number): Scale {
  const low = Number.isFinite(min) ? Math.max(0.1, min) / 1.2 : 1;
  const high = Number.isFinite(max) ? Math.max(low * 10, max * 1.2) : 10;
  const span = Math.log(high / low);
  return {
    ticks: logTicks(low, high),
    at: (value) => TOP + 8 + (1 - Math.log(Math.max(low, value) / low) / span) * (plot.height - 8),
  };
}

/** 1, 2 and 5 times the powers of ten between two values; without the 2 and 5 where these would be too many. */
function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  const factors = high / low > 1e4 ? [1] : [1, 2, 5];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of factors) ticks.push(factor * 10 ** power);
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** The next of 1, 2 and 5 times a power of ten. */
function niceStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1e-9, value)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= value) ?? power * 10;
}
