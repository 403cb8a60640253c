/** Alerts beside those of other settings, as bars at the top of a chart: each kind has a row, a shape and a sign, not a colour alone. */
import type uPlot from "uplot";

export type VerdictKind = "kept" | "gone" | "added";

export interface Verdict {
  readonly kind: VerdictKind;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

/** From the top. */
export const VERDICT_KINDS: readonly VerdictKind[] = ["kept", "gone", "added"];
export const SIGNS: Readonly<Record<VerdictKind, string>> = { kept: "=", gone: "−", added: "+" };
const ROW = 14;
const BAR = 9;
const LEAST = 9;

export function drawVerdicts(u: uPlot, verdicts: readonly Verdict[], ink: string, ground: string): void {
  if (verdicts.length === 0) return;
  const { ctx, bbox } = u;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const { kind, from, to } of verdicts) {
    const x = u.valToPos(from / 1_000, "x", true);
    const width = Math.max(LEAST * scale, u.valToPos(to / 1_000, "x", true) - x);
    const y = bbox.top + (VERDICT_KINDS.indexOf(kind) * ROW + 3) * scale;
    drawBar(ctx, { kind, x, y, width, height: BAR * scale, ink, ground });
  }
  ctx.restore();
}

interface Bar {
  readonly kind: VerdictKind;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly ink: string;
  readonly ground: string;
}

/** Filled: kept. Hollow: gone. Hollow with a plus: added. */
function drawBar(ctx: CanvasRenderingContext2D, { kind, x, y, width, height, ink, ground }: Bar): void {
  const line = Math.max(1, height / 6);
  ctx.lineWidth = line;
  ctx.strokeStyle = ink;
  ctx.fillStyle = kind === "kept" ? ink : ground;
  ctx.fillRect(x, y, width, height);
  ctx.strokeRect(x, y, width, height);
  ctx.fillStyle = kind === "kept" ? ground : ink;
  const [middleX, middleY, arm] = [x + Math.min(width, height) / 2, y + height / 2, height * 0.3];
  const across = (at: number) => ctx.fillRect(middleX - arm, at - line / 2, 2 * arm, line);
  if (kind === "kept") {
    across(middleY - line);
    across(middleY + line);
    return;
  }
  across(middleY);
  if (kind === "added") ctx.fillRect(middleX - line / 2, middleY - arm, line, 2 * arm);
}
