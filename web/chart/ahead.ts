/** What an early alert is about, drawn into its chart: the limit as a line, and where the readings are heading as a band. */
import type uPlot from "uplot";
import type { ForecastResponse } from "../../gen/web/telltale/v1/detector_pb.ts";
import { msOf, valueText } from "../app/format.ts";

export interface Ahead {
  readonly limit: number;
  readonly unit: string;
  /** What is expected, with its interval of 95 %; undefined where nothing was forecast. */
  readonly forecast: ForecastResponse | undefined;
}

/** What the values axis has room for beside the readings. */
export function aheadValues(ahead: Ahead | undefined): number[] {
  if (ahead === undefined) return [];
  return [ahead.limit, ...(ahead.forecast?.points ?? []).flatMap(({ lower95, upper95 }) => [lower95, upper95])];
}

/** When the forecast ends, in milliseconds since 1970. */
export function forecastEnd({ points }: ForecastResponse): number | undefined {
  const last = points.at(-1)?.time;
  return last && msOf(last);
}

export interface AheadColours {
  readonly limit: string;
  readonly band: string;
  readonly line: string;
  readonly font: string;
}

export function drawAhead(u: uPlot, ahead: Ahead | undefined, colours: AheadColours): void {
  if (ahead === undefined) return;
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  if (ahead.forecast !== undefined) drawForecast(u, ahead.forecast, colours);
  drawLimit(u, ahead, colours);
  ctx.restore();
}

function drawForecast(u: uPlot, { points }: ForecastResponse, { band, line }: AheadColours): void {
  const { ctx } = u;
  const placed = points.map((point) => {
    const y = (value: number) => u.valToPos(value, "y", true);
    const x = u.valToPos(msOf(point.time!) / 1_000, "x", true);
    return { x, lower: y(point.lower95), upper: y(point.upper95), expected: y(point.expected) };
  });
  ctx.fillStyle = band;
  ctx.beginPath();
  for (const { x, upper } of placed) ctx.lineTo(x, upper);
  for (const { x, lower } of placed.toReversed()) ctx.lineTo(x, lower);
  ctx.fill();
  ctx.strokeStyle = line;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  for (const { x, expected } of placed) ctx.lineTo(x, expected);
  ctx.stroke();
}

function drawLimit(u: uPlot, { limit, unit }: Ahead, colours: AheadColours): void {
  const { ctx, bbox } = u;
  const y = Math.round(u.valToPos(limit, "y", true));
  ctx.strokeStyle = colours.limit;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.setLineDash([]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.fillStyle = colours.limit;
  ctx.font = colours.font;
  ctx.textAlign = "left";
  const isAtTop = y < bbox.top + bbox.height / 4;
  ctx.textBaseline = isAtTop ? "top" : "bottom";
  const gap = 4 * devicePixelRatio;
  ctx.fillText(`limit ${valueText(limit, unit)}`, bbox.left + gap, y + (isAtTop ? gap : -gap));
}
