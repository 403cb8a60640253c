import type { Backtest, Label } from "./backtest.ts";

/** A page with no outside parts: series, expected band, alerts and labels, thinned to the width of the picture. */
const WIDTH = 1400;
const HEIGHT = 420;
const MARGIN = 50;

interface Column {
  low: number;
  high: number;
  bandLow: number;
  bandHigh: number;
}

export function picture(
  title: string,
  timeUs: Float64Array,
  value: Float64Array,
  result: Backtest,
  labels: readonly Label[],
): string {
  const times = timeUs.filter((t) => !Number.isNaN(t));
  const from = times[0] ?? 0;
  const span = Math.max((times.at(-1) ?? 0) - from, 1);
  const x = (t: number) => MARGIN + ((t - from) / span) * (WIDTH - 2 * MARGIN);
  const columns = thin(timeUs, value, result, x);
  const values = [...columns.values()];
  const low = Math.min(...values.map((c) => c.low));
  const high = Math.max(...values.map((c) => c.high));
  const range = high > low ? high - low : 1;
  const y = (v: number) => HEIGHT - MARGIN - ((Math.max(low, Math.min(high, v)) - low) / range) * (HEIGHT - 2 * MARGIN);
  const xs = [...columns.keys()];
  const line = xs.map(
    (px) => `M${px} ${y(columns.get(px)!.high).toFixed(1)}V${(y(columns.get(px)!.low) + 1).toFixed(1)}`,
  );
  const banded = xs.filter((px) => Number.isFinite(columns.get(px)!.bandLow));
  const top = banded.map((px) => `${px},${y(columns.get(px)!.bandHigh).toFixed(1)}`);
  const bottom = banded.reverse().map((px) => `${px},${y(columns.get(px)!.bandLow).toFixed(1)}`);
  const marks = labels.map((l) => box(x(l.fromUs), x(l.untilUs), "#e8c547", 0.35, "labelled"));
  const alerts = result.alerts.map((a) =>
    box(
      x(a.openedAtUs),
      x(Number.isNaN(a.closedAtUs) ? a.lastSeenAtUs : a.closedAtUs),
      "#d1495b",
      0.4,
      `${a.severity}: ${a.message}`,
    ),
  );
  const rows = result.alerts.map(
    (a) =>
      `<tr><td>${iso(a.openedAtUs)}<td>${Number.isNaN(a.closedAtUs) ? "open" : iso(a.closedAtUs)}<td>${a.severity}<td>${a.readings}<td>${escapeHtml(a.message)}</tr>`,
  );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>
<style>body{font:14px system-ui;margin:1.5em}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid #ddd}svg{max-width:100%;height:auto}</style>
<h1>${escapeHtml(title)}</h1>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Series with expected band, alerts and labels">
${marks.join("")}<polygon points="${[...top, ...bottom].join(" ")}" fill="#00798c" fill-opacity="0.18"/>
<path d="${line.join("")}" stroke="#30343f" fill="none"/>${alerts.join("")}
<text x="${MARGIN}" y="${HEIGHT - 15}">${iso(from)}</text><text x="${WIDTH - MARGIN}" y="${HEIGHT - 15}" text-anchor="end">${iso(from + span)}</text>
<text x="4" y="${MARGIN}">${high.toPrecision(5)}</text><text x="4" y="${HEIGHT - MARGIN}">${low.toPrecision(5)}</text></svg>
<p>${result.alerts.length} alerts, ${result.notifications} notifications, ${result.alertsPerDay.toFixed(3)} alerts a day; ${result.labelsMet} of ${labels.length} labels met.
Line: readings. Shade: expected band. Red: alerts. Yellow: labels.</p>
<table><tr><th>Opened<th>Closed<th>Severity<th>Readings<th>Message</tr>${rows.join("\n")}</table></html>
`;
}

function thin(
  timeUs: Float64Array,
  value: Float64Array,
  result: Backtest,
  x: (t: number) => number,
): Map<number, Column> {
  const columns = new Map<number, Column>();
  for (let i = 0; i < timeUs.length; i++) {
    if (Number.isNaN(value[i]!)) continue;
    const px = Math.round(x(timeUs[i]!));
    const column = columns.get(px) ?? {
      low: Number.POSITIVE_INFINITY,
      high: Number.NEGATIVE_INFINITY,
      bandLow: Number.POSITIVE_INFINITY,
      bandHigh: Number.NEGATIVE_INFINITY,
    };
    column.low = Math.min(column.low, value[i]!);
    column.high = Math.max(column.high, value[i]!);
    const expected = result.played.expected[i]!;
    const band = result.played.band[i]!;
    if (Number.isFinite(expected) && Number.isFinite(band)) {
      column.bandLow = Math.min(column.bandLow, expected - band);
      column.bandHigh = Math.max(column.bandHigh, expected + band);
    }
    columns.set(px, column);
  }
  return columns;
}

function box(from: number, until: number, colour: string, opacity: number, title: string): string {
  const width = Math.max(until - from, 2).toFixed(1);
  return `<rect x="${from.toFixed(1)}" y="${MARGIN}" width="${width}" height="${HEIGHT - 2 * MARGIN}" fill="${colour}" fill-opacity="${opacity}"><title>${escapeHtml(title)}</title></rect>`;
}

function iso(us: number): string {
  return new Date(us / 1000).toISOString().replace(".000Z", "Z");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
