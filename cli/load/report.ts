/** The page about a run: one file that needs nothing else. */
import { counted } from "../../formats/counted.ts";
import { distribution, milliseconds, overTime, short } from "./charts.ts";
import type { Recorder } from "./recorder.ts";

export interface RunFacts {
  readonly by: "gRPC" | "REST";
  readonly url: string;
  readonly devices: number;
  readonly connections: number;
  /** Readings a second that were asked for, of all devices. */
  readonly rate: number;
  readonly seconds: number;
  readonly startedAt: string;
}

const SHARES = [0.5, 0.9, 0.95, 0.99, 0.999];

export interface RunSums {
  readonly sent: number;
  readonly settled: number;
  readonly failed: number;
  readonly unsettled: number;
  readonly sentPerSecond: number;
  /** Milliseconds by share, and the largest as "max". Empty where nothing was measured. */
  readonly durableMs: Readonly<Record<string, number>>;
  readonly settledMs: Readonly<Record<string, number>>;
  readonly errors: Readonly<Record<string, number>>;
}

export function sums(facts: RunFacts, recorder: Recorder): RunSums {
  const quantiles = (which: "durableMs" | "settledMs") => {
    const total = recorder.total(which);
    if (total.count === 0) return {};
    const each = SHARES.map((share) => [`p${share * 100}`, total.quantile(share)]);
    return Object.fromEntries([...each, ["max", total.maxMs]]);
  };
  const { sent, settled, failed, errors } = recorder;
  return {
    sent,
    settled,
    failed,
    unsettled: sent - settled,
    sentPerSecond: sent / facts.seconds,
    durableMs: quantiles("durableMs"),
    settledMs: quantiles("settledMs"),
    errors: Object.fromEntries(errors),
  };
}

export function reportPage(facts: RunFacts, recorder: Recorder): string {
  const run = sums(facts, recorder);
  const acks = Object.keys(run.durableMs).length > 0;
  const { seconds } = recorder;
  const lines = (which: "durableMs" | "settledMs", name: string) =>
    [0.5, 0.99].map((share) => ({
      name: `${name} p${share * 100}`,
      style: `${which} p${share * 100}`,
      values: seconds.map((second) => second[which].quantile(share)),
    }));
  const rates = overTime(
    [
      {
        name: "asked for",
        style: "target",
        values: seconds.map((_, i) => (i < facts.seconds ? facts.rate : Number.NaN)),
      },
      { name: "sent", style: "sent", values: seconds.map(({ sent }) => sent) },
      { name: "settled", style: "settled", values: seconds.map(({ settled }) => settled) },
    ],
    { name: "readings a second" },
  );
  const latencies = overTime([...(acks ? lines("durableMs", "durable") : []), ...lines("settledMs", "settled")], {
    name: "milliseconds, by the second in which a reading was due",
    log: true,
  });
  const bars = (["durableMs", "settledMs"] as const).map((which) => ({
    name: which === "durableMs" ? "durable" : "settled",
    style: which,
    buckets: recorder.total(which).buckets(),
  }));
  const shown = bars.filter(({ buckets }) => buckets.length > 0);
  return page(
    facts,
    [
      section("Readings", table(factRows(facts, run))),
      section("Delay", table(delayRows(run)) + NOTE),
      section("Rate", rates),
      recorder.settled === 0 ? "" : section("Delay over time", latencies),
      shown.length === 0 ? "" : section("Distribution of delays", distribution(shown, { name: "readings" })),
      section("Errors", errorsOf(run) + (run.failed === 0 ? "" : errorChart(recorder))),
    ].join("\n"),
  );
}

const NOTE =
  "<p>A delay counts from the moment at which a reading was due, so that what had to wait for a slow answer shows. Percentiles are right within 5 %.</p>";

function factRows(facts: RunFacts, run: RunSums): string[][] {
  return [
    ["devices", short(facts.devices), `over ${counted(facts.connections, "connection")} by ${facts.by}`],
    ["asked for", `${short(facts.rate)} a second`, `for ${facts.seconds} s`],
    ["sent", short(run.sent), `${short(run.sentPerSecond)} a second`],
    ["settled", short(run.settled), "scored and committed"],
    ["not settled", short(run.unsettled), run.unsettled === 0 ? "" : "refused, failed, or still open at the end"],
    ["errors", short(run.failed), ""],
  ];
}

function delayRows({ durableMs, settledMs }: RunSums): string[][] {
  const names = Object.keys(settledMs);
  const row = (name: string, of: Readonly<Record<string, number>>) => [name, ...names.map((n) => milliseconds(of[n]!))];
  return [
    ["", ...names],
    ...(Object.keys(durableMs).length > 0 ? [row("durable", durableMs)] : []),
    ...(names.length > 0 ? [row("settled", settledMs)] : [["nothing was settled"]]),
  ];
}

function errorsOf({ errors }: RunSums): string {
  const rows = Object.entries(errors).sort(([, a], [, b]) => b - a);
  return rows.length === 0 ? "<p>None.</p>" : table(rows.map(([kind, count]) => [short(count), kind]));
}

function errorChart({ seconds }: Recorder): string {
  const values = seconds.map(({ errors }) => errors);
  return overTime([{ name: "errors", style: "errors", values }], { name: "errors a second" });
}

function section(title: string, content: string): string {
  return `<section><h2>${title}</h2>${content}</section>`;
}

function table(rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]) => row.map((cell) => `<td>${html(cell)}</td>`).join("");
  return `<table>${rows.map((row) => `<tr>${cells(row)}</tr>`).join("")}</table>`;
}

function html(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

function page({ url, startedAt }: RunFacts, content: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Load on ${html(url)}</title><style>${STYLE}</style></head>
<body><h1>Load on ${html(url)}</h1><p>${html(startedAt)}</p>
${content}
</body></html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1d2733, #dde5ee); --faint: light-dark(#d5dbe2, #39434f);
  --blue: light-dark(#1f6fb2, #6cb2ee); --green: light-dark(#2b8a4b, #64c98a); --red: light-dark(#c0392b, #ff8b7d); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 900px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
td { padding: .15rem 1.2rem .15rem 0; } td:nth-child(n+2) { text-align: right; } td:last-child { text-align: left; }
svg { width: 100%; height: auto; } text { font-size: 11px; fill: var(--ink); }
.grid { stroke: var(--faint); } path { fill: none; stroke-width: 1.6; }
path.sent, path.durableMs { stroke: var(--blue); } path.settled, path.settledMs { stroke: var(--green); }
path.target { stroke: var(--ink); stroke-dasharray: 4 4; } path.errors { stroke: var(--red); } path.p50 { stroke-dasharray: 5 3; }
g.durableMs rect, rect.mark.durableMs, rect.mark.sent { fill: var(--blue); fill-opacity: .6; }
g.settledMs rect, rect.mark.settledMs, rect.mark.settled { fill: var(--green); fill-opacity: .6; }
rect.mark.target { fill: var(--ink); fill-opacity: .5; } rect.mark.errors { fill: var(--red); } rect.mark.p50 { fill-opacity: .3; }
@media (max-width: 760px) { section { overflow-x: auto; } svg { min-width: 760px; } td { white-space: nowrap; } }
`;
