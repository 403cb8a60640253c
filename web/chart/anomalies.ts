/** Anomalies in a chart. */
import type uPlot from "uplot";
import type { SeverityName } from "../app/severity.ts";
import type { Span } from "./range.ts";
import { type ChartData, severityOfScore } from "./series.ts";

interface Drawn {
  readonly data: ChartData;
  readonly span: Span;
  readonly severities: Readonly<Record<SeverityName, string>>;
  readonly surface: string;
}

/**
 * A shape per severity, the same as everywhere, with an edge that keeps it apart from the line. Where anomalies stand close, the worst of
 * them has the shape; a tick at the foot of the chart says of each that it is there.
 */
export function drawAnomalies(u: uPlot, { data, span, severities, surface }: Drawn): void {
  const all = anomaliesOf(u, data, span);
  const { ctx, bbox } = u;
  const size = 7 * devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { x, name } of all) {
    ctx.fillStyle = severities[name];
    ctx.fillRect(x - devicePixelRatio / 2, bbox.top + bbox.height - size, devicePixelRatio, size);
  }
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.strokeStyle = surface;
  for (const { x, name, index } of apart(all, 2 * size)) {
    ctx.fillStyle = severities[name];
    shape(ctx, name, { x, y: u.valToPos(farthest(data, index), "y", true), size });
    ctx.fill();
    ctx.stroke();
  }
  ctx.restore();
}

interface Shape {
  readonly index: number;
  readonly x: number;
  readonly score: number;
  readonly name: SeverityName;
}

function anomaliesOf(u: uPlot, { anomalies, times, scores }: ChartData, { from, to }: Span): Shape[] {
  return anomalies.flatMap((count, index) => {
    const time = times[index]!;
    if (count === 0 || time < from || time > to) return [];
    const score = scores[index]!;
    return [{ index, score, x: u.valToPos(time / 1_000, "x", true), name: severityOfScore(score) }];
  });
}

/** Of shapes that are closer than `least`, the worst. */
function apart(shapes: readonly Shape[], least: number): Shape[] {
  const kept: Shape[] = [];
  for (const shape of shapes) {
    const before = kept.at(-1);
    if (before === undefined || shape.x - before.x >= least) kept.push(shape);
    else if (shape.score > before.score) kept[kept.length - 1] = shape;
  }
  return kept;
}

/** The value of a column that is the farthest from what was expected. */
function farthest({ low, high, expected, last }: ChartData, index: number): number {
  const [bottom, top] = [low[index] ?? last[index] ?? 0, high[index] ?? last[index] ?? 0];
  const middle = expected[index];
  if (middle == null) return top;
  return Math.abs(bottom - middle) > Math.abs(top - middle) ? bottom : top;
}

const TURN = 2 * Math.PI;

function shape(
  ctx: CanvasRenderingContext2D,
  name: SeverityName,
  { x, y, size }: { x: number; y: number; size: number },
): void {
  ctx.beginPath();
  if (name === "low") {
    ctx.arc(x, y, size * 0.8, 0, TURN);
    return;
  }
  const corners = name === "critical" ? 8 : name === "high" ? 3 : 4;
  const first = name === "critical" ? TURN / 16 : -TURN / 4;
  const radius = name === "high" ? size * 1.25 : size;
  for (let i = 0; i < corners; i++) {
    const angle = first + (i * TURN) / corners;
    ctx.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  }
  ctx.closePath();
}
