import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { FleetReportSchema, GuidelineSchema, Verdict } from "../../gen/es/telltale/v1/report_pb.ts";
import { rangeOf } from "../commands/report.ts";
import { page } from "./page.ts";
import { duration, number, safe, value } from "./text.ts";

const DAY_MS = 86_400_000;
const startMs = Date.UTC(2026, 2, 9);
const evil = `</title><script>alert(1)</script><img src=x onerror="alert(2)">'&\u0000\u001b[2J\n\u202eexe.`;

function report(days = 1, name = "pump-1") {
  return create(FleetReportSchema, {
    startTime: timestampFromMs(startMs),
    endTime: timestampFromMs(startMs + days * DAY_MS),
    baselineStartTime: timestampFromMs(startMs - 7 * DAY_MS),
    generatedAt: timestampFromMs(startMs + 2 * DAY_MS),
    operators: 1,
    totals: { sensors: 2, reportingSensors: 2, readings: 12_345n, alarms: 3, standing: 1, availabilityPercent: 87.5 },
    guidelines: [{ id: "stale_alarms", name, measured: 1, target: name, unit: name, verdict: Verdict.BAD }],
    alarmsPerTenMinutes: Array.from({ length: days * 144 }, (_, i) => (i === 7 ? 12 : i % 50 === 0 ? 1 : 0)),
    alarmsBySeverity: [1, 1, 0, 1],
    badActors: [{ sensorId: name, sensorType: name, alarms: 3, sharePercent: 100, cumulativePercent: 100 }],
    standing: [{ alertId: 1n, sensorId: name, alertType: name, severity: 9, openedAt: timestampFromMs(startMs) }],
    sensorsByAvailability: [1, 0, 0, 0, 1, 0, 0],
    leastAvailable: [
      {
        sensorId: name,
        sensorType: name,
        availabilityPercent: 75,
        usualReadingsPerHour: 60,
        readingsPerHour: [60, 0, 30],
      },
    ],
    drift: [
      {
        sensorId: name,
        unit: name,
        mean: 3,
        baselineMean: 2,
        baselineDeviation: 0.5,
        shift: 2,
        points: [0, 1, 2].map((i) => ({ startTime: timestampFromMs(startMs + (i - 1) * DAY_MS), mean: i })),
      },
    ],
  });
}

describe("a report's page", () => {
  it("shows names of anybody's making as text, whatever they are made of", () => {
    const html = page(report(1, evil));
    expect(html.split("&lt;script&gt;alert(1)").length).toBeGreaterThan(8);
    expect(html).not.toMatch(/<script|<img|onerror="/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(html).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
  });

  it.each([
    ["a day", 1],
    ["a week", 7],
    ["a month", 31],
  ])("of %s is well-formed, whole in itself, and says what its pictures show", (_, days) => {
    const html = page(report(days));
    expect(unclosed(html)).toEqual([]);
    expect(html).not.toMatch(/src=|href=|url\(|@import|https?:/);
    const pictures = html.match(/<svg[^>]*>/g) ?? [];
    expect(pictures.length).toBeGreaterThanOrEqual(5);
    expect(pictures.filter((tag) => !/aria-label="[^"]+"/.test(tag))).toEqual([]);
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("of nothing at all can be read as well", () => {
    const empty = create(FleetReportSchema, {
      startTime: timestampFromMs(startMs),
      endTime: timestampFromMs(startMs + DAY_MS),
      operators: 1,
      totals: {},
      alarmsPerTenMinutes: Array(144).fill(0),
    });
    const html = page(empty);
    expect(html).toContain("None opened.");
    expect(html).toContain("No sensor missed readings.");
    expect(unclosed(html)).toEqual([]);
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("does not call a range good of which nothing can be told", () => {
    const told = (...verdicts: Verdict[]) =>
      page({ ...report(), guidelines: verdicts.map((verdict) => create(GuidelineSchema, { name: "One", verdict })) });
    expect(told(Verdict.UNSPECIFIED, Verdict.UNSPECIFIED)).toContain("There is no data in this range");
    expect(told(Verdict.GOOD, Verdict.UNSPECIFIED)).toContain("1 of 2 measures are within guidance");
    expect(told(Verdict.GOOD, Verdict.GOOD)).toContain("Every measure is within guidance.");
  });

  it("fits a phone and a dark room", () => {
    const html = page(report());
    expect(html).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">');
    expect(html).toContain("prefers-color-scheme: dark");
  });

  it("names what is to be mended first", () => {
    const names = [
      { name: "One thing", verdict: Verdict.BORDERLINE },
      { name: "Another", verdict: Verdict.BAD },
    ];
    const html = page({ ...report(), guidelines: names.map((each) => create(GuidelineSchema, each)) });
    expect(html).toContain("<b>Outside guidance:</b> another. <b>Borderline:</b> one thing.");
  });
});

describe("words and numbers", () => {
  it("are short and mean what was measured", () => {
    expect([number(1234567), number(0.456, 2), number(12n)]).toEqual(["1\u202f234\u202f567", "0.46", "12"]);
    expect([value(20.12345), value(1234567), value(0.00001), value(0)]).toEqual(["20.12", "1.23e+6", "1.00e-5", "0"]);
    expect([0.5, 59, 60, 3_661, 90_000].map(duration)).toEqual(
      ["under 1 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"].map((text) => text.replace(/(\d) /g, "$1\u202f")),
    );
    expect(safe("a<b>&\"'\ud800")).toBe("a&lt;b&gt;&amp;&quot;&#39;\ufffd");
  });
});

describe("the range of a report", () => {
  const now = Date.UTC(2026, 2, 11, 15, 30); // a Wednesday
  const days = (range: [number, number]) => range.map((ms) => new Date(ms).toISOString().slice(0, 10));
  it("is yesterday, the last whole week, or what is asked for", () => {
    expect(days(rangeOf({ weekly: false }, now))).toEqual(["2026-03-10", "2026-03-11"]);
    expect(days(rangeOf({ weekly: true }, now))).toEqual(["2026-03-02", "2026-03-09"]);
    expect(days(rangeOf({ weekly: true }, Date.UTC(2026, 2, 9)))).toEqual(["2026-03-02", "2026-03-09"]);
    expect(days(rangeOf({ weekly: true, date: Date.UTC(2026, 2, 15) }, now))).toEqual(["2026-03-09", "2026-03-16"]);
    expect(days(rangeOf({ weekly: false, date: Date.UTC(2026, 1, 28) }, now))).toEqual(["2026-02-28", "2026-03-01"]);
  });
});

/** Elements that are not closed in their order. */
function unclosed(html: string): string[] {
  const open: string[] = [];
  const alone = new Set(["meta", "!doctype"]);
  for (const [, end, name, self] of html.matchAll(/<(\/?)([a-z!][a-z0-9]*)(?:"[^"]*"|[^">])*?(\/?)>/gi)) {
    if (self === "/" || alone.has(name!.toLowerCase())) continue;
    if (end === "") open.push(name!);
    else if (open.at(-1) === name) open.pop();
    else open.push(`/${name}`);
  }
  return open;
}
