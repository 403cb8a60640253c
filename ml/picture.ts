/** A page with no outside parts: for each sensor its series, expected band, alerts and labels, and a table of the alerts. */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Alert } from "../gen/es/telltale/v1/alert_pb.ts";
import type { BacktestPicture, LabelledEvent } from "../gen/es/telltale/v1/detector_pb.ts";

const WIDTH = 1400;
const HEIGHT = 360;
const LEFT = 76;
const RIGHT = 16;
const TOP = 34;
const BOTTOM = 34;
/** Marks on an axis, about. */
const X_MARKS = 6;
const Y_MARKS = 5;
const COLOURS: Readonly<Record<number, string>> = { 1: "#e0a030", 2: "#e07b30", 3: "#d1495b", 4: "#8f1d3f" };
const LABEL_COLOUR = "#6aa84f";
const SEVERITIES = ["", "low", "medium", "high", "critical"];

export interface PageInput {
  readonly title: string;
  /** What was found, in sentences. */
  readonly summary: readonly string[];
  readonly pictures: readonly BacktestPicture[];
  readonly alerts: readonly Alert[];
}

export function page({ title, summary, pictures, alerts }: PageInput): string {
  const sections = pictures.map((p) => {
    const own = alerts.filter((a) => a.sensorId === p.sensorId);
    return `<h2>${escapeHtml(p.sensorId)}</h2><div class="picture">${drawing(p, own)}</div><div class="picture">${table(own)}</div>`;
  });
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title><style>
:root{color-scheme:light dark;--ink:#222;--soft:#555;--line:#ddd;--paper:#fff;--series:#30343f;--band:#bfdde2}
@media (prefers-color-scheme:dark){:root{--ink:#e3e9ef;--soft:#9aa8b5;--line:#33404c;--paper:#161d25;--series:#dfe6ee;--band:#2b4f58}}
body{font:14px system-ui,sans-serif;margin:1.5em;color:var(--ink);background:var(--paper)}h1{font-size:1.3em}h2{font-size:1.1em;margin:1.5em 0 .3em}
table{border-collapse:collapse}td:first-child,td:nth-child(2){white-space:nowrap}td,th{padding:.2em .8em;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
.picture{overflow-x:auto}svg{width:100%;min-width:1100px;height:auto;background:var(--paper)}svg text{font-size:13px;fill:var(--soft)}
@media (max-width:760px){body{margin:.8em}td:last-child{min-width:480px}}
.key span{display:inline-block;width:1.4em;height:.8em;margin:0 .3em 0 1em;vertical-align:baseline}
</style></head><body><h1>${escapeHtml(title)}</h1>
<p>${summary.map(escapeHtml).join("<br>")}</p>
<p class="key"><span style="background:var(--series);height:2px;vertical-align:middle"></span>readings
<span style="background:var(--band)"></span>expected band<span style="background:${LABEL_COLOUR}"></span>labelled event
${SEVERITIES.slice(1)
  .map((name, i) => `<span style="background:${COLOURS[i + 1]}"></span>${name} alert`)
  .join("")}</p>
${sections.join("\n")}
</body></html>
`;
}

function drawing(p: BacktestPicture, alerts: readonly Alert[]): string {
  const times = p.times.map((t) => timestampMs(t));
  if (times.length === 0) return "<p>No readings in the range.</p>";
  const from = times[0]!;
  const until = Math.max(times[times.length - 1]!, from + 1);
  const x = (t: number) =>
    LEFT + ((Math.min(Math.max(t, from), until) - from) / (until - from)) * (WIDTH - LEFT - RIGHT);
  const [low, high] = span(p);
  const bottom = HEIGHT - BOTTOM;
  const y = (v: number) => bottom - ((Math.max(low, Math.min(high, v)) - low) / (high - low)) * (bottom - TOP);
  const xs = times.map((t) => x(t).toFixed(1));
  const parts = [
    band(p, xs, y),
    ...p.labels.map((l) => labelMark(l, x, from, until, bottom)),
    grid(low, high, y, from, until, x),
    `<path d="${line(p, xs, y)}" stroke="var(--series)" stroke-width="1.3" fill="none" stroke-linejoin="round"/>`,
    ...alerts.map((a) => mark(a, x, until, bottom)),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Series of ${escapeHtml(p.sensorId)} with expected band, alerts and labels">
${parts.join("\n")}<text x="${LEFT}" y="14">${escapeHtml(p.unit === "" ? "value" : p.unit)}</text></svg>`;
}

/** From the lowest to the highest value, with a little room. The band may go beyond and is cut. */
function span(p: BacktestPicture): [low: number, high: number] {
  const low = Math.min(...p.low);
  const high = Math.max(...p.high);
  const room = high > low ? (high - low) * 0.05 : Math.max(Math.abs(low) * 0.05, 1);
  return [low - room, high + room];
}

/** Each column's values as an upright stroke, joined to the next. */
function line(p: BacktestPicture, xs: readonly string[], y: (v: number) => number): string {
  return xs
    .map((px, i) => `${i === 0 ? "M" : "L"}${px} ${y(p.low[i]!).toFixed(1)}V${y(p.high[i]!).toFixed(1)}`)
    .join("");
}

/** One polygon for each stretch where something was expected. */
function band(p: BacktestPicture, xs: readonly string[], y: (v: number) => number): string {
  const polygons: string[] = [];
  let top: string[] = [];
  let under: string[] = [];
  const close = () => {
    if (top.length > 0)
      polygons.push(`<polygon points="${[...top, ...under.reverse()].join(" ")}" fill="var(--band)"/>`);
    top = [];
    under = [];
  };
  xs.forEach((px, i) => {
    if (Number.isNaN(p.expectedLow[i]!)) {
      close();
      return;
    }
    top.push(`${px},${y(p.expectedHigh[i]!).toFixed(1)}`);
    under.push(`${px},${y(p.expectedLow[i]!).toFixed(1)}`);
  });
  close();
  return polygons.join("");
}

function grid(
  low: number,
  high: number,
  y: (v: number) => number,
  from: number,
  until: number,
  x: (t: number) => number,
): string {
  const parts: string[] = [];
  for (const v of rounds(low, high, Y_MARKS)) {
    parts.push(`<path d="M${LEFT} ${y(v).toFixed(1)}H${WIDTH - RIGHT}" stroke="var(--line)"/>`);
    parts.push(
      `<text x="${LEFT - 6}" y="${(y(v) + 4).toFixed(1)}" text-anchor="end">${Number(v.toPrecision(6))}</text>`,
    );
  }
  for (let k = 0; k <= X_MARKS; k++) {
    const t = from + ((until - from) * k) / X_MARKS;
    const anchor = k === 0 ? "start" : k === X_MARKS ? "end" : "middle";
    const text = new Date(t)
      .toISOString()
      .slice(0, until - from > 5 * 86_400e3 ? 10 : 16)
      .replace("T", " ");
    parts.push(`<text x="${x(t).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="${anchor}">${text}</text>`);
  }
  return parts.join("");
}

/** Round numbers between the two, about so many. */
function rounds(low: number, high: number, about: number): number[] {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10);
  const found: number[] = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step) found.push(v);
  return found;
}

/** An alert: a shade over its time, and a bar on top that is wide enough to be seen. */
function mark(a: Alert, x: (t: number) => number, until: number, bottom: number): string {
  const from = x(timestampMs(a.openedAt!));
  const to = x(a.closedAt === undefined ? until : timestampMs(a.closedAt));
  const colour = COLOURS[a.severity] ?? "#888";
  const title = `${SEVERITIES[a.severity]}: ${a.message}`;
  return (
    box(from, to, TOP, bottom - TOP, colour, 0.28, title) +
    box(from - 1.5, Math.max(to, from + 1.5), TOP - 12, 9, colour, 1, title)
  );
}

/** A labelled event: a light shade, and a bar below the series. */
function labelMark(l: LabelledEvent, x: (t: number) => number, from: number, until: number, bottom: number): string {
  const [start, end] = [timestampMs(l.startTime!), timestampMs(l.endTime!)];
  if (end < from || start > until) return "";
  const title = `labelled: ${iso(start)} to ${iso(end)}`;
  const shade = box(x(start), x(end), TOP, bottom - TOP, LABEL_COLOUR, 0.3, title);
  return shade + box(x(start), x(end), bottom + 2, 7, LABEL_COLOUR, 1, title);
}

function box(
  from: number,
  to: number,
  top: number,
  height: number,
  colour: string,
  opacity: number,
  title: string,
): string {
  const width = Math.max(to - from, 2).toFixed(1);
  return `<rect x="${from.toFixed(1)}" y="${top}" width="${width}" height="${height}" fill="${colour}" fill-opacity="${opacity}"><title>${escapeHtml(title)}</title></rect>`;
}

function table(alerts: readonly Alert[]): string {
  if (alerts.length === 0) return "<p>No alerts.</p>";
  const rows = alerts.map((a) => {
    const opened = timestampMs(a.openedAt!);
    const closed = a.closedAt === undefined ? undefined : timestampMs(a.closedAt);
    const lasted = closed === undefined ? "open at the end" : duration((closed - opened) / 1000);
    const cells = [iso(opened), lasted, SEVERITIES[a.severity] ?? "", String(a.readingCount), a.detector, a.message];
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}`).join("")}</tr>`;
  });
  return `<table><tr><th>Opened<th>Lasted<th>Severity<th>Readings<th>Detector<th>Message</tr>${rows.join("\n")}</table>`;
}

/** "42 s", "17 min", "3.5 h", "12 d". */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86_400).toFixed(1)} d`;
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
