/** The report as one HTML page: no script, no address of anything else, readable on paper. */
import { type FleetReport, type Guideline, Verdict } from "../../gen/es/telltale/v1/report_pb.ts";
import { bars, shares, spark, strip } from "./pictures.ts";
import { STYLE } from "./style.ts";
import { day, duration, minute, msOf, number, percent, safe, value } from "./text.ts";

const DAY_MS = 86_400_000;
const SLOT_MS = 600_000;
/** Ten minutes are drawn one by one up to so many; longer ranges are drawn by the hour. */
const MOST_BARS = 300;
const SEVERITIES = ["low", "medium", "high", "critical"] as const;
const CLASSES = ["all", "99 to 100 %", "95 to 99 %", "90 to 95 %", "50 to 90 %", "under 50 %", "none"] as const;
const CLASS_COLOURS = ["a0", "a1", "a2", "a3", "a4", "a5", "a6"] as const;

const VERDICTS: Readonly<Record<Verdict, readonly [string, string]>> = {
  [Verdict.UNSPECIFIED]: ["few", "too few data"],
  [Verdict.GOOD]: ["good", "good"],
  [Verdict.BORDERLINE]: ["warn", "borderline"],
  [Verdict.BAD]: ["bad", "mend"],
};

export function page(report: FleetReport): string {
  const title = titleOf(report);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${safe(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${safe(title)}</h1>${subtitle(report)}</header>
<main>
${tiles(report)}
${alarms(report)}
${badActors(report)}
${standing(report)}
${availability(report)}
${drift(report)}
</main>
${footer(report)}
</body>
</html>
`;
}

function titleOf({ startTime, endTime }: FleetReport): string {
  const [start, end] = [msOf(startTime), msOf(endTime)];
  const year = new Date(start).getUTCFullYear();
  if (end - start <= DAY_MS) return `Fleet report, ${day(start)} ${year}`;
  return `Fleet report, ${day(start)} to ${day(end - 1)} ${year}`;
}

function subtitle({ startTime, endTime, generatedAt, operators }: FleetReport): string {
  const people = operators === 1 ? "one operator" : `${number(operators)} operators`;
  return `<p>${minute(msOf(startTime))} to ${minute(msOf(endTime))} UTC · rates for ${people} · made ${minute(msOf(generatedAt))} UTC</p>`;
}

function tiles({ totals, guidelines, alarmsPerTenMinutes }: FleetReport): string {
  const t = totals!;
  const peak = alarmsPerTenMinutes.reduce((most, count) => Math.max(most, count), 0);
  const stale = guidelines.find(({ id }) => id === "stale_alarms")?.measured ?? 0;
  const tile = (what: string, figure: string, more: string) =>
    `<div class="tile"><h3>${what}</h3><b>${figure}</b><small>${more}</small></div>`;
  const anomalies = t.readings === 0n ? "" : `${number(t.anomalies)} anomalous`;
  return `<section class="tiles">
${tile("Availability", t.availabilityPercent === undefined ? "–" : percent(t.availabilityPercent, 2), "mean of sensors")}
${tile("Sensors", number(t.reportingSensors), `reported, of ${number(t.sensors)}`)}
${tile("Readings", number(t.readings), anomalies)}
${tile("Alarms", number(t.alarms), `${number(t.silences)} of silent sensors`)}
${tile("Peak", number(peak), "alarms in ten minutes")}
${tile("Standing", number(t.standing), `${number(stale)} for over a day`)}
</section>`;
}

function alarms(report: FleetReport): string {
  const { alarmsPerTenMinutes: slots, alarmsBySeverity, guidelines, totals } = report;
  const start = msOf(report.startTime);
  const hourly = slots.length > MOST_BARS;
  const counts = hourly ? byHour(slots) : slots;
  const operators = report.operators;
  const marks = hourly
    ? [
        { at: 12 * operators, label: "manageable at most" },
        { at: 30 * operators, label: "too many in an hour" },
      ]
    : [
        { at: 2 * operators, label: "manageable at most" },
        { at: 10 * operators, label: "flood above" },
      ];
  const each = hourly ? "hour" : "ten minutes";
  const parts = SEVERITIES.map((label, i) => ({ label, count: alarmsBySeverity[i] ?? 0, colour: `s${i}` }));
  const acknowledged =
    totals!.medianAcknowledgeSeconds === undefined
      ? "Nobody acknowledged any."
      : `${number(totals!.acknowledged)} acknowledged, half of them within ${duration(totals!.medianAcknowledgeSeconds)}.`;
  return `<section>
<h2>Alarms</h2>
<p class="lead">${summary(guidelines)}</p>
<h3>Opened in each ${each}</h3>
${bars(counts, start, hourly ? 6 * SLOT_MS : SLOT_MS, marks, `Alarms opened in each ${each}`)}
<h3>By severity</h3>
${totals!.alarms === 0 ? "<p>None opened.</p>" : shares(parts, "Alarms by severity")}
${totals!.alarms === 0 ? "" : `<p>${acknowledged}</p>`}
<h3>Against ANSI/ISA-18.2</h3>
<table><thead><tr><th>Measure</th><th class="n">Measured</th><th>Guidance</th><th></th></tr></thead><tbody>
${guidelines.map(guideline).join("\n")}
</tbody></table>
</section>`;
}

function summary(guidelines: readonly Guideline[]): string {
  const names = (verdict: Verdict) =>
    guidelines
      .filter((each) => each.verdict === verdict)
      .map(({ name }) => safe(name.charAt(0).toLowerCase() + name.slice(1)));
  const [bad, borderline] = [names(Verdict.BAD), names(Verdict.BORDERLINE)];
  if (bad.length + borderline.length === 0) return fine(guidelines);
  const parts = [
    ...(bad.length > 0 ? [`<b>Outside guidance:</b> ${bad.join("; ")}.`] : []),
    ...(borderline.length > 0 ? [`<b>Borderline:</b> ${borderline.join("; ")}.`] : []),
  ];
  return parts.join(" ");
}

/** The text where nothing is wrong: of how many measures that can be said at all. */
function fine(guidelines: readonly Guideline[]): string {
  const good = guidelines.filter(({ verdict }) => verdict === Verdict.GOOD).length;
  if (good === 0) return "There is no data in this range, so the alarms cannot be assessed.";
  if (good === guidelines.length) return "Every measure is within guidance.";
  return `${good} of ${guidelines.length} measures are within guidance; of the others there is too little to tell.`;
}

function guideline({ name, measured, unit, target, verdict }: Guideline): string {
  const [colour, word] = VERDICTS[verdict] ?? VERDICTS[Verdict.UNSPECIFIED];
  const figure = unit === "%" ? percent(measured, 2) : number(measured, 2);
  return `<tr><td>${safe(name)}</td><td class="n">${figure}</td><td>${safe(target)}</td><td><span class="badge ${colour}">${word}</span></td></tr>`;
}

function badActors({ badActors: actors }: FleetReport): string {
  if (actors.length === 0) return "";
  const most = actors[0]!.alarms;
  const rows = actors.map(
    (a) => `<tr><td>${sensor(a.sensorId, a.sensorType)}</td><td class="n">${number(a.alarms)}</td>
<td class="wide"><span class="meter"><i style="width:${Math.round((100 * a.alarms) / most)}%"></i></span></td>
<td class="n">${percent(a.sharePercent)}</td><td class="n">${percent(a.cumulativePercent)}</td>
<td class="n">${number(a.chatters)}</td><td class="n">${number(a.fleeting)}</td></tr>`,
  );
  return `<section>
<h2>Sensors with most alarms</h2>
<table><thead><tr><th>Sensor</th><th class="n">Alarms</th><th></th><th class="n">Share</th><th class="n">Together</th><th class="n">Chattering</th><th class="n">Fleeting</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table>
</section>`;
}

function standing({ standing: open, totals, endTime }: FleetReport): string {
  if (open.length === 0) return "";
  const end = msOf(endTime);
  const rows = open.map(({ alertId, sensorId, alertType, severity, openedAt, stale, acknowledged }) => {
    const level = SEVERITIES[severity - 1] ?? String(severity);
    const since = msOf(openedAt);
    const badge = stale ? ' <span class="badge bad">stale</span>' : "";
    return `<tr><td>${sensor(sensorId, "")}</td><td>#${alertId}</td><td>${alertType === "silence" ? "silent" : "abnormal"}</td><td>${level}</td>
<td>${minute(since)}</td><td class="n">${duration((end - since) / 1000)}${badge}</td><td>${acknowledged ? "yes" : "no"}</td></tr>`;
  });
  const more = totals!.standing > open.length ? `<p>The ${open.length} oldest of ${number(totals!.standing)}.</p>` : "";
  return `<section>
<h2>Standing alarms</h2>
<table><thead><tr><th>Sensor</th><th>Alert</th><th>Why</th><th>Severity</th><th>Opened, UTC</th><th class="n">Open for</th><th>Acknowledged</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table>${more}
</section>`;
}

function availability({ sensorsByAvailability, leastAvailable, startTime, totals }: FleetReport): string {
  const parts = CLASSES.map((label, i) => ({
    label,
    count: sensorsByAvailability[i] ?? 0,
    colour: CLASS_COLOURS[i]!,
  }));
  const rows = leastAvailable.map(
    (
      s,
    ) => `<tr><td>${sensor(s.sensorId, s.sensorType)}</td><td class="n">${percent(s.availabilityPercent, 2)}</td><td class="n">${number(s.usualReadingsPerHour, 1)}</td>
<td class="wide">${strip(s.readingsPerHour, s.usualReadingsPerHour, msOf(startTime), `Readings of ${s.sensorId} by the hour`)}</td></tr>`,
  );
  const table =
    rows.length === 0
      ? "<p>No sensor missed readings.</p>"
      : `<h3>Least available</h3>
<table><thead><tr><th>Sensor</th><th class="n">Available</th><th class="n">Usual, an hour</th><th>Hour by hour</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
  const seldom =
    totals!.seldomSensors === 0
      ? ""
      : `<p>${totals!.seldomSensors === 1 ? "1 sensor reports" : `${number(totals!.seldomSensors)} sensors report`} too seldom to be judged.</p>`;
  return `<section>
<h2>Availability</h2>
<h3>Sensors by how much of what they usually send came</h3>
${shares(parts, "Sensors by availability") || "<p>There are none.</p>"}
${seldom}
${table}
</section>`;
}

function drift({ drift: levels, startTime, totals }: FleetReport): string {
  if (levels.length === 0) return "";
  const rows = levels.map((d) => {
    const points = d.points.map((point) => ({ ms: msOf(point.startTime), mean: point.mean }));
    const moved = Math.abs(d.shift) >= 1 ? ' <span class="badge warn">moved</span>' : "";
    const name = `Level of ${d.sensorId} over time`;
    return `<tr><td>${sensor(d.sensorId, "")}</td><td class="n">${value(d.baselineMean)} ± ${value(d.baselineDeviation)}</td><td class="n">${value(d.mean)}</td><td>${safe(d.unit)}</td>
<td class="n">${d.shift > 0 ? "+" : ""}${number(d.shift, 2)}${moved}</td><td class="wide">${spark(points, d.baselineMean, d.baselineDeviation, msOf(startTime), name)}</td></tr>`;
  });
  return `<section>
<h2>Drift</h2>
<p class="lead">${number(totals!.driftingSensors)} of the fleet's levels moved by at least one usual deviation.</p>
<table><thead><tr><th>Sensor</th><th class="n">Before</th><th class="n">Now</th><th>Unit</th><th class="n">Moved, deviations</th><th>Over time</th></tr></thead><tbody>
${rows.join("\n")}
</tbody></table>
</section>`;
}

function footer({ baselineStartTime, startTime }: FleetReport): string {
  return `<footer>
<p><b>Availability</b>: readings that came, hour by hour, of those that the sensor usually sends in an hour (the median of its hours since ${minute(msOf(baselineStartTime))}), from its first reading on; more in one hour does not make up for another.
<b>Chattering</b>: the third alarm of a sensor within ten minutes, and each further one. <b>Fleeting</b>: closed within a minute. <b>Stale</b>: open for more than a day.
<b>Drift</b>: the mean of the hours against that from ${minute(msOf(baselineStartTime))} to ${minute(msOf(startTime))}, in deviations of those hours. All times are UTC.</p>
</footer>`;
}

function sensor(id: string, type: string): string {
  return `<b class="id">${safe(id)}</b>${type === "" ? "" : ` <small>${safe(type)}</small>`}`;
}

function byHour(slots: readonly number[]): number[] {
  const hours: number[] = [];
  for (const [i, count] of slots.entries()) {
    const hour = Math.floor(i / 6);
    hours[hour] = (hours[hour] ?? 0) + count;
  }
  return hours;
}
