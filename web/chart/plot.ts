/** uPlot as this console draws with it: a band of what is normal, the values, and anomalies as shapes. */

import uPlot from "uplot";
import { breaksIn, valueRange } from "../../formats/chart-frame.ts";
import { numberText, partsOf } from "../app/format.ts";
import type { SeverityName } from "../app/severity.ts";
import { type Ahead, aheadValues, drawAhead } from "./ahead.ts";
import { drawAnomalies } from "./anomalies.ts";
import { drawMarks, type Mark } from "./marks.ts";
import type { Span } from "./range.ts";
import type { ChartData } from "./series.ts";
import { drawTriedBand, edgesInside, type Tried } from "./tried.ts";
import { drawVerdicts } from "./verdicts.ts";

export interface PlotOptions {
  readonly width: number;
  readonly height: number;
  readonly zone: string;
  readonly unit: string;
  /** What the chart shows, asked for at each drawing. */
  readonly span: () => Span;
  readonly data: () => ChartData;
  /** Time of a point to mark, such as the reading that is explained. */
  readonly marked: () => number | undefined;
  /** A stretch that was chosen, for example for a backtest. */
  readonly chosen: () => Span | undefined;
  /** What other settings would have done. */
  readonly tried: () => Tried;
  /** What people said of stretches of it. */
  readonly marks: () => readonly Mark[];
  /** What an early alert is about. */
  readonly ahead: () => Ahead | undefined;
  readonly colours: Colours;
  readonly onSelect: (span: Span) => void;
  readonly onCursor: (index: number | undefined) => void;
}

export interface Colours {
  readonly ink: string;
  readonly line: string;
  readonly series: string;
  readonly band: string;
  readonly bandLine: string;
  readonly range: string;
  readonly surface: string;
  readonly focus: string;
  readonly severities: Readonly<Record<SeverityName, string>>;
}

/** The colours of the theme as the element has them. */
export function coloursOf(element: Element): Colours {
  const probe = document.createElement("span");
  element.append(probe);
  const of = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const severities = { critical: of("--critical"), high: of("--high"), medium: of("--medium"), low: of("--low") };
  const colours = {
    ...{
      ink: of("--ink-3"),
      line: of("--line"),
      series: of("--series"),
      band: of("--band"),
      bandLine: of("--band-line"),
    },
    ...{ range: of("--range"), surface: of("--surface"), focus: of("--focus"), severities },
  };
  probe.remove();
  return colours;
}

/** The arrays that uPlot draws; a point of nothing stands in each gap. */
export function alignedOf(data: ChartData): uPlot.AlignedData {
  const gaps = breaksIn(data.times, data.columnMs);
  const half = data.columnMs / 2 || 0.5;
  const times: number[] = [];
  const columns: (number | null)[][] = [[], [], [], [], [], []];
  const sources = [data.lower, data.upper, data.low, data.high, data.last, data.expected];
  for (const [index, time] of data.times.entries()) {
    times.push(time / 1_000);
    for (const [at, source] of sources.entries()) columns[at]!.push(source[index] ?? null);
    if (!gaps.has(index)) continue;
    times.push((time + half) / 1_000);
    for (const column of columns) column.push(null);
  }
  return [times, ...columns] as uPlot.AlignedData;
}

export function createPlot(target: HTMLElement, options: PlotOptions): uPlot {
  const { width, height, colours } = options;
  const anomalyColours = { severities: colours.severities, surface: colours.surface };
  const aheadColours = {
    ...{ limit: colours.severities.critical, band: colours.band, line: colours.bandLine },
    font: fontOf(target, devicePixelRatio),
  };
  const plot = new uPlot(
    {
      ...{ width, height },
      ...frameOf(target, options),
      scales: {
        x: { range: () => secondsOf(options.span()) },
        y: { range: () => valueRange(withMore(options)) },
      },
      series: [
        {},
        { ...HIDDEN, label: "lower" },
        { ...HIDDEN, label: "upper" },
        { ...HIDDEN, label: "low" },
        { ...HIDDEN, label: "high" },
        {
          label: "value",
          stroke: colours.series,
          width: 1.5,
          points: { show: isSparse, size: 4, fill: colours.series },
        },
        { label: "expected", stroke: colours.bandLine, width: 1, dash: [4, 4], points: { show: false } },
      ],
      bands: [
        { series: [2, 1], fill: colours.band },
        { series: [4, 3], fill: colours.range },
      ],
      cursor: CURSOR,
      hooks: {
        drawClear: [(u) => drawChosen(u, options)],
        draw: [
          (u) => drawMarks(u, options.marks(), colours.ink, colours.surface),
          (u) => drawAhead(u, options.ahead(), aheadColours),
          (u) => drawAnomalies(u, { ...anomalyColours, data: options.data(), span: options.span() }),
          (u) => drawMark(u, options),
          (u) => drawTriedBand(u, options.tried().band, colours.ink),
          (u) => drawVerdicts(u, options.tried().verdicts, colours.ink, colours.surface),
        ],
        setCursor: [(u) => options.onCursor(u.cursor.idx ?? undefined)],
        setSelect: [(u) => selected(u, options)],
      },
    },
    alignedOf(options.data()),
    target,
  );
  return plot;
}

/** A series that is the edge of a band. */
export const HIDDEN = { points: { show: false }, width: 0 } as const;

/** Drags choose; what they choose is not uPlot's to say. */
export const CURSOR: uPlot.Cursor = {
  y: false,
  drag: { x: true, y: false, setScale: false, dist: 6 },
  points: { show: false },
  bind: { dblclick: () => null },
};

/** Axes, and how they write, which all charts have in common. */
export function frameOf(
  target: HTMLElement,
  { colours, zone }: Pick<PlotOptions, "colours" | "zone">,
): Pick<uPlot.Options, "padding" | "legend" | "tzDate" | "axes"> {
  const axis = {
    stroke: colours.ink,
    grid: { stroke: colours.line, width: 1 },
    ticks: { stroke: colours.line, width: 1, size: 4 },
    font: fontOf(target),
  };
  return {
    ...{ padding: [12, 20, 0, 0], legend: { show: false } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), zone),
    axes: [
      {
        ...axis,
        space: 72,
        size: 32,
        values: (_, splits, __, ___, step) => splits.map((split) => tickText(split * 1_000, step, zone)),
      },
      { ...axis, size: 64, values: (_, splits) => splits.map(numberText) },
    ],
  };
}

/** Few points are shown one by one. */
export function isSparse(u: uPlot): boolean {
  return u.data[0].length < u.bbox.width / devicePixelRatio / 8;
}

export function selected(u: uPlot, { onSelect }: Pick<PlotOptions, "onSelect">): void {
  const { left, width } = u.select;
  if (width < 6) return;
  const span = {
    from: Math.round(u.posToVal(left, "x") * 1_000),
    to: Math.round(u.posToVal(left + width, "x") * 1_000),
  };
  u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onSelect(span);
}

export function secondsOf({ from, to }: Span): [number, number] {
  return [from / 1_000, to / 1_000];
}

/** What of the data is within the span: the values axis is for these. */
export function inside(data: ChartData, { from, to }: Span) {
  const start = data.times.findIndex((time) => time >= from);
  const after = data.times.findIndex((time) => time > to);
  const [begin, end] = [start < 0 ? data.times.length : start, after < 0 ? data.times.length : after];
  const cut = (values: readonly (number | null)[]) => values.slice(begin, end);
  return { low: cut(data.low), high: cut(data.high), lower: cut(data.lower), upper: cut(data.upper) };
}

/** A limit belongs to the values: it is shown however far away it is. */
function withMore({ data, span, tried, ahead }: PlotOptions) {
  const [shown, edges] = [inside(data(), span()), edgesInside(tried().band, span())];
  const more = aheadValues(ahead());
  return {
    ...{ low: [...shown.low, ...more], high: [...shown.high, ...more] },
    ...{ lower: [...shown.lower, ...edges.lower], upper: [...shown.upper, ...edges.upper] },
  };
}

/** As short as the step allows, day before time where a day begins. */
function tickText(ms: number, stepSeconds: number, zone: string): string {
  const { year, month, day, hour, minute, second } = partsOf(ms, zone);
  if (stepSeconds >= 28 * 86_400) return `${year}-${month}`;
  if (stepSeconds >= 86_400 || (hour === "00" && minute === "00" && second === "00")) return `${month}-${day}`;
  if (stepSeconds >= 60) return `${hour}:${minute}`;
  if (stepSeconds >= 1) return `${hour}:${minute}:${second}`;
  return `:${second}.${String(Math.round(ms) % 1_000).padStart(3, "0")}`;
}

function fontOf(element: Element, scale = 1): string {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  return `${Math.round(rem * 0.75 * scale)}px ${getComputedStyle(element).fontFamily}`;
}

/** Behind everything, with an edge on both sides. */
function drawChosen(u: uPlot, { chosen, colours }: PlotOptions): void {
  const span = chosen();
  if (span === undefined) return;
  const { ctx, bbox } = u;
  const [left, right] = [bbox.left, bbox.left + bbox.width];
  const place = (ms: number) => Math.min(right, Math.max(left, u.valToPos(ms / 1_000, "x", true)));
  const [from, to] = [place(span.from), place(span.to)];
  ctx.save();
  ctx.fillStyle = colours.range;
  ctx.globalAlpha = 0.35;
  ctx.fillRect(from, bbox.top, to - from, bbox.height);
  ctx.globalAlpha = 1;
  ctx.fillStyle = colours.focus;
  for (const edge of [from, to]) ctx.fillRect(edge - devicePixelRatio, bbox.top, 2 * devicePixelRatio, bbox.height);
  ctx.restore();
}

function drawMark(u: uPlot, { marked, colours }: PlotOptions): void {
  const ms = marked();
  if (ms === undefined) return;
  const x = Math.round(u.valToPos(ms / 1_000, "x", true));
  const { left, top, width, height } = u.bbox;
  if (x < left || x > left + width) return;
  const { ctx } = u;
  ctx.save();
  ctx.strokeStyle = colours.focus;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, top);
  ctx.lineTo(x, top + height);
  ctx.stroke();
  ctx.restore();
}
