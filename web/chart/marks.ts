/** What people said of a stretch of a sensor, drawn into its chart: maintenance windows hatched, labels as a sign at the foot. */
import type uPlot from "uplot";
import type { Alert } from "../../gen/web/telltale/v1/alert_pb.ts";
import type { MaintenanceWindow } from "../../gen/web/telltale/v1/detector_pb.ts";
import { msOf, timeText } from "../app/format.ts";
import type { Span } from "./range.ts";

export interface Mark extends Span {
  readonly kind: "maintenance" | "right" | "wrong";
  /** Why; "" where nobody said. */
  readonly comment: string;
}

export interface Whose {
  readonly sensorId: string;
  readonly location: string;
}

/** Those that touch the span, by time. */
export function marksOf(
  windows: readonly MaintenanceWindow[],
  alerts: readonly Alert[],
  of: Whose,
  span: Span,
): readonly Mark[] {
  const all = [...windows.filter((window) => isOf(window, of)).flatMap(markOfWindow), ...alerts.flatMap(markOfAlert)];
  return all.filter(({ from, to }) => from < span.to && to > span.from).sort((a, b) => a.from - b.from);
}

/** A window is of a sensor, of a location, or of all. */
function isOf({ sensorId, location }: MaintenanceWindow, of: Whose): boolean {
  return (sensorId === "" || sensorId === of.sensorId) && (location === "" || location === of.location);
}

function markOfWindow({ startTime, endTime, comment }: MaintenanceWindow): Mark[] {
  if (startTime === undefined || endTime === undefined) return [];
  return [{ kind: "maintenance", from: msOf(startTime), to: msOf(endTime), comment }];
}

function markOfAlert({ openedAt, lastSeenAt, labelCorrect, labelComment }: Alert): Mark[] {
  if (openedAt === undefined || labelCorrect === undefined) return [];
  const from = msOf(openedAt);
  // One reading alone has a place too.
  const to = Math.max(from + 1, lastSeenAt === undefined ? 0 : msOf(lastSeenAt));
  return [{ kind: labelCorrect ? "right" : "wrong", from, to, comment: labelComment }];
}

const NAMES: Readonly<Record<Mark["kind"], string>> = {
  maintenance: "Maintenance",
  right: "Labelled right",
  wrong: "Labelled wrong",
};

export function markText({ kind, from, to, comment }: Mark, zone: string): string {
  const until = kind === "maintenance" ? ` to ${timeText(to, zone)}` : "";
  return `${NAMES[kind]}: ${timeText(from, zone)}${until}${comment === "" ? "" : `, ${comment}`}`;
}

const STRIPES = 9;
const SIGN = 11;

export function drawMarks(u: uPlot, marks: readonly Mark[], ink: string, ground: string): void {
  if (marks.length === 0) return;
  const { ctx, bbox } = u;
  const { left, top, width, height } = bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.strokeStyle = ink;
  ctx.lineWidth = devicePixelRatio;
  // The series that was drawn last may have had one.
  ctx.setLineDash([]);
  for (const { kind, from, to } of marks) {
    const [begin, end] = [from, to].map((ms) => u.valToPos(ms / 1_000, "x", true)) as [number, number];
    if (kind === "maintenance") hatch(ctx, Math.max(begin, left), Math.min(end, left + width), bbox);
    else sign(ctx, kind, { x: begin, y: top + height - 2 * SIGN * devicePixelRatio, ground });
  }
  ctx.restore();
}

type Box = Pick<uPlot.BBox, "top" | "height">;

/** Slanted lines, with an edge on both sides. */
function hatch(ctx: CanvasRenderingContext2D, from: number, to: number, { top, height }: Box): void {
  if (to <= from) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(from, top, Math.max(to - from, 2 * devicePixelRatio), height);
  ctx.clip();
  ctx.globalAlpha = 0.35;
  ctx.beginPath();
  for (let x = from - height; x < to; x += STRIPES * devicePixelRatio) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
  ctx.beginPath();
  for (const x of [from, to]) {
    ctx.moveTo(x, top);
    ctx.lineTo(x, top + height);
  }
  ctx.stroke();
  ctx.restore();
}

/** A tick for right, a cross for wrong, in a disk. */
function sign(
  ctx: CanvasRenderingContext2D,
  kind: "right" | "wrong",
  { x, y, ground }: { x: number; y: number; ground: string },
): void {
  const r = (SIGN / 2) * devicePixelRatio;
  ctx.beginPath();
  ctx.arc(x, y, r * 1.4, 0, 2 * Math.PI);
  ctx.fillStyle = ground;
  ctx.fill();
  ctx.stroke();
  ctx.save();
  ctx.lineWidth = 1.75 * devicePixelRatio;
  ctx.beginPath();
  if (kind === "right") {
    ctx.moveTo(x - r * 0.7, y);
    ctx.lineTo(x - r * 0.15, y + r * 0.55);
    ctx.lineTo(x + r * 0.75, y - r * 0.6);
  } else {
    ctx.moveTo(x - r * 0.6, y - r * 0.6);
    ctx.lineTo(x + r * 0.6, y + r * 0.6);
    ctx.moveTo(x + r * 0.6, y - r * 0.6);
    ctx.lineTo(x - r * 0.6, y + r * 0.6);
  }
  ctx.stroke();
  ctx.restore();
}
