/** Several sensors on one time axis: a chart for each unit, with a scale of its own, and lines that differ by dash and letter too. */

import uPlot from "uplot";
import { breaksIn, valueRange } from "../../formats/chart-frame.ts";
import { type Colours, CURSOR, frameOf, HIDDEN, inside, isSparse, secondsOf, selected } from "./plot.ts";
import type { Span } from "./range.ts";
import { type ChartData, nearest } from "./series.ts";

export interface Line {
  readonly id: string;
  /** A to H: what stands at the line and in the list. */
  readonly letter: string;
  readonly data: ChartData;
}

export interface Panel {
  readonly unit: string;
  readonly lines: readonly Line[];
}

/** In the order in which units come. */
export function panelsOf(lines: readonly Line[]): Panel[] {
  return [...Map.groupBy(lines, ({ data }) => data.unit)].map(([unit, own]) => ({ unit, lines: own }));
}

export function letterOf(index: number): string {
  return String.fromCharCode(65 + index);
}

/** Of a line, by its letter: four that nobody mistakes for each other, twice. */
const DASHES: readonly number[][] = [[], [9, 4], [2, 4], [10, 3, 2, 3]];

export function dashOf(letter: string): number[] {
  return [...DASHES[(letter.charCodeAt(0) - 65) % DASHES.length]!];
}

/** Index of the point of a line that a time is at; undefined where the line has none near. */
export function pointAt(data: ChartData, ms: number): number | undefined {
  const index = nearest(data.times, ms);
  if (index < 0) return undefined;
  const before = data.times[index - 1] ?? data.times[index + 1] ?? data.times[index]!;
  const usual = Math.max(data.columnMs, Math.abs(data.times[index]! - before));
  return Math.abs(data.times[index]! - ms) <= Math.max(usual, 1) ? index : undefined;
}

/** All lines of a panel on the times of all of them. Undefined: the line has no point there; null: it breaks there. */
export function joined(lines: readonly Line[]): uPlot.AlignedData {
  const tables = lines.map(({ data }) => tableOf(data));
  return tables.length === 0 ? [[]] : uPlot.join(tables);
}

function tableOf(data: ChartData): uPlot.AlignedData {
  const gaps = breaksIn(data.times, data.columnMs);
  const half = data.columnMs / 2 || 0.5;
  const table: [number[], ...(number | null)[][]] = [[], [], [], []];
  for (const [index, time] of data.times.entries()) {
    table[0].push(time / 1_000);
    for (const [at, values] of [data.low, data.high, data.last].entries())
      (table[at + 1] as (number | null)[]).push(values[index] ?? null);
    if (!gaps.has(index)) continue;
    table[0].push((time + half) / 1_000);
    for (const at of [1, 2, 3]) (table[at] as (number | null)[]).push(null);
  }
  return table as uPlot.AlignedData;
}

export interface CompareOptions {
  readonly width: number;
  readonly height: number;
  readonly zone: string;
  readonly lines: () => readonly Line[];
  readonly span: () => Span;
  readonly colours: Colours;
  /** By letter. */
  readonly strokes: Readonly<Record<string, string>>;
  readonly onSelect: (span: Span) => void;
  readonly onCursor: (ms: number | undefined) => void;
}

/** Plots with the same key show one cursor. */
export function createComparePlot(target: HTMLElement, sync: string, options: CompareOptions): uPlot {
  const { width, height, strokes } = options;
  const lines = options.lines();
  return new uPlot(
    {
      ...{ width, height },
      ...frameOf(target, options),
      scales: {
        x: { range: () => secondsOf(options.span()) },
        y: { range: () => rangeOf(options.lines(), options.span()) },
      },
      series: [{}, ...lines.flatMap(({ id, letter }) => seriesOf(id, strokes[letter]!, dashOf(letter)))],
      bands: lines.map(({ letter }, index) => ({
        series: [3 * index + 2, 3 * index + 1] as [number, number],
        fill: faint(strokes[letter]!),
      })),
      cursor: { ...CURSOR, sync: { key: sync, setSeries: false } },
      hooks: {
        draw: [(u) => drawLetters(u, options)],
        setCursor: [(u) => options.onCursor(timeOf(u))],
        setSelect: [(u) => selected(u, options)],
      },
    },
    joined(lines),
    target,
  );
}

function seriesOf(label: string, stroke: string, dash: number[]): uPlot.Series[] {
  const line = { label, stroke, width: 1.75, dash, points: { show: isSparse, size: 4, fill: stroke } };
  return [{ ...HIDDEN }, { ...HIDDEN }, line];
}

/** Colours of the theme come as rgb(r, g, b). */
function faint(colour: string): string {
  return colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.16)");
}

function timeOf(u: uPlot): number | undefined {
  const { left } = u.cursor;
  return left === undefined || left < 0 ? undefined : u.posToVal(left, "x") * 1_000;
}

function rangeOf(lines: readonly Line[], span: Span): [number, number] {
  const none = { lower: [], upper: [] };
  const all = lines.map(({ data }) => inside(data, span));
  return valueRange({ low: all.flatMap(({ low }) => low), high: all.flatMap(({ high }) => high), ...none });
}

/** Above what is there already: lines that end together have their letters one above the other. */
export function freeOf(taken: readonly number[], wanted: number, least: number): number {
  let y = wanted;
  for (const each of [...taken].sort((a, b) => b - a)) if (Math.abs(each - y) < least) y = each - least;
  return y;
}

/** At the last point of each line that is shown. */
function drawLetters(u: uPlot, { lines, span, strokes, colours }: CompareOptions): void {
  const { ctx, bbox } = u;
  const size = 9 * devicePixelRatio;
  ctx.save();
  ctx.font = `bold ${Math.round(1.3 * size)}px sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.setLineDash([]);
  const taken: number[] = [];
  for (const { letter, data } of lines()) {
    const index = data.times.findLastIndex((time, at) => time <= span().to && data.last[at] != null);
    if (index < 0 || data.times[index]! < span().from) continue;
    const x = Math.min(bbox.left + bbox.width - size, u.valToPos(data.times[index]! / 1_000, "x", true));
    const y = freeOf(taken, Math.max(bbox.top + size, u.valToPos(data.last[index]!, "y", true)), 2.2 * size);
    taken.push(y);
    ctx.fillStyle = colours.surface;
    ctx.strokeStyle = strokes[letter]!;
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.beginPath();
    ctx.arc(x, y, size, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
    ctx.fillStyle = strokes[letter]!;
    ctx.fillText(letter, x, y + devicePixelRatio / 2);
  }
  ctx.restore();
}
