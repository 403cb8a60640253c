/** What other settings would have done, drawn into the chart of what was: alerts as bars at the top, and the edges of the band as dotted lines. */
import type uPlot from "uplot";
import type { BacktestPicture } from "../../gen/web/telltale/v1/detector_pb.ts";
import { msOf, valueText } from "../app/format.ts";
import type { Span } from "./range.ts";
import { nearest } from "./series.ts";
import type { Verdict } from "./verdicts.ts";

/** Elements belong together, rising by time; null: no reading there was judged. */
export interface TriedBand {
  /** Middle of each column of readings; milliseconds since 1970. */
  readonly times: readonly number[];
  readonly lower: readonly (number | null)[];
  readonly upper: readonly (number | null)[];
}

export interface Tried {
  readonly verdicts: readonly Verdict[];
  readonly band: TriedBand;
}

export const NOTHING_TRIED: Tried = { verdicts: [], band: { times: [], lower: [], upper: [] } };

export function bandOf(picture: BacktestPicture | undefined): TriedBand {
  if (picture === undefined) return NOTHING_TRIED.band;
  const known = (values: readonly number[]) => values.map((value) => (Number.isNaN(value) ? null : value));
  const { times, expectedLow, expectedHigh } = picture;
  return { times: times.map(msOf), lower: known(expectedLow), upper: known(expectedHigh) };
}

/** Edges within the span: the values axis has room for them too. */
export function edgesInside({ times, lower, upper }: TriedBand, { from, to }: Span) {
  const shown = (values: readonly (number | null)[]) => values.filter((_, i) => times[i]! >= from && times[i]! <= to);
  return { lower: shown(lower), upper: shown(upper) };
}

/** For the point under the cursor; nothing where it lies in no column. */
export function triedText({ times, lower, upper }: TriedBand, ms: number, unit: string): string {
  const at = nearest(times, ms);
  const column = times.length < 2 ? 0 : Math.min(...times.slice(1).map((time, i) => time - times[i]!));
  const [low, high] = [lower[at], upper[at]];
  if (low == null || high == null || Math.abs(times[at]! - ms) > column) return "";
  return `; with the other settings ${valueText(low, unit)} to ${valueText(high, unit)} would be normal`;
}

/** Dotted, where the expected value in force is dashed. */
export function drawTriedBand(u: uPlot, { times, lower, upper }: TriedBand, colour: string): void {
  if (times.length === 0) return;
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([1.5 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const edge of [lower, upper]) {
    ctx.beginPath();
    let isDrawing = false;
    for (const [i, value] of edge.entries()) {
      if (value !== null) {
        const [x, y] = [u.valToPos(times[i]! / 1_000, "x", true), u.valToPos(value, "y", true)];
        if (isDrawing) ctx.lineTo(x, y);
        else ctx.moveTo(x, y);
      }
      isDrawing = value !== null;
    }
    ctx.stroke();
  }
  ctx.restore();
}
