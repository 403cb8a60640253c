import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Histogram, type Registry } from "prom-client";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GatewayMetrics } from "../../gateway/metrics.ts";
import { createMetrics } from "../../server/observe/metrics.ts";
import { describeWith, program } from "../../testing/needs.ts";
import { root } from "./support/image.ts";

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: { severity: string };
  readonly annotations?: { runbook: string };
}

const alerts = join(root, "deploy/alerts");
const rulesText = readFileSync(join(alerts, "telltale.rules.yml"), "utf8");
const rules = (parse(rulesText) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const recorded = new Set(rules.flatMap((rule) => rule.record ?? []));

/** Names of the series and of their labels, as the platform's own registries have them. */
function exported(): Map<string, Set<string>> {
  const series = new Map<string, Set<string>>([["up", new Set(["job", "instance"])]]);
  for (const registry of [createMetrics().registry, new GatewayMetrics().registry] as Registry[]) {
    for (const metric of registry.getMetricsAsArray() as unknown as { name: string; labelNames?: string[] }[]) {
      const labels = new Set([...(metric.labelNames ?? []), "job", "instance"]);
      series.set(metric.name, labels);
      if (!(metric instanceof Histogram)) continue;
      for (const part of ["count", "sum"]) series.set(`${metric.name}_${part}`, labels);
      series.set(`${metric.name}_bucket`, new Set([...labels, "le"]));
    }
  }
  return series;
}

const known = exported();
const words = new Set(
  "sum rate increase deriv max min avg count topk scalar vector histogram_quantile by or and unless without".split(" "),
);

/** What is wrong with a query: series that nobody exports, and labels that they do not have. */
function complaints(expr: string): string[] {
  const bare = expr.replace(/\[[^\]]*\]/g, "").replace(/"[^"]*"/g, '""');
  const names = [...bare.replace(/\b(by|without) \([^)]*\)|\{[^}]*\}/g, " ").matchAll(/[a-zA-Z_][\w:]*/g)].map(
    ([w]) => w,
  );
  const series = names.filter((name) => !words.has(name));
  const unknown = series.filter((name) => !known.has(name) && !recorded.has(name));
  const labels = [
    ...[...bare.matchAll(/\{([^}]*)\}/g)].flatMap(([, inner]) =>
      [...inner!.matchAll(/(\w+)\s*[=!]/g)].map(([, l]) => l!),
    ),
    ...[...bare.matchAll(/\b(?:by|without) \(([^)]*)\)/g)].flatMap(([, inner]) => inner!.split(/,\s*/)),
  ];
  const had = new Set(series.flatMap((name) => [...(known.get(name) ?? [])]));
  return [...unknown, ...labels.filter((label) => !had.has(label)).map((label) => `label ${label}`)];
}

describe("queries", () => {
  test("of something that nobody exports, or of a label that it has not, are noticed", () => {
    expect(complaints("sum by (outcome) (rate(telltale_readings_total[5m]))")).toEqual([]);
    expect(complaints('sum by (colour) (rate(telltale_reading_total{le="1"}[5m]))')).toEqual([
      "telltale_reading_total",
      "label le",
      "label colour",
    ]);
  });

  test("of the rules name what the platform exports", () => {
    expect(rules.length).toBeGreaterThan(20);
    for (const rule of rules) expect(complaints(rule.expr), rule.record ?? rule.alert).toEqual([]);
  });

  const folder = join(root, "deploy/dashboards");
  // That of sensors is of readings, and asked for what it names where those are.
  const dashboards = readdirSync(folder).filter((file) => file !== "sensors.json");
  test.each(dashboards)("of the dashboard %s name what the platform exports", (file) => {
    const dashboard = JSON.parse(readFileSync(join(folder, file), "utf8"));
    expect(dashboard.panels.length).toBeGreaterThan(5);
    const ids = dashboard.panels.map((panel: { id: number }) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const panel of dashboard.panels) {
      expect(panel.targets.length, panel.title).toBeGreaterThan(0);
      for (const { expr } of panel.targets) expect(complaints(expr), `${panel.title}: ${expr}`).toEqual([]);
    }
  });
});

test("every alert says how urgent it is and where to read what to do", () => {
  const manual = readFileSync(join(root, "docs/guides/operations.md"), "utf8");
  const headings = new Set(
    [...manual.matchAll(/^#+ (.+)$/gm)].map(([, text]) => text!.toLowerCase().replace(/ /g, "-")),
  );
  for (const { alert, labels, annotations } of rules) {
    if (alert === undefined) continue;
    expect(["page", "ticket"], alert).toContain(labels?.severity);
    expect(headings, alert).toContain(annotations?.runbook.split("#")[1]);
  }
});

describeWith(["promtool"], "the rules, by Prometheus' own tool", () => {
  const promtool = (...args: string[]) =>
    execFileSync(program("promtool")!, args, { cwd: alerts, encoding: "utf8", stdio: "pipe" });

  test("are rules that Prometheus takes", () => {
    expect(promtool("check", "rules", "telltale.rules.yml")).toContain("SUCCESS");
  });

  test("fire when they should and not else", () => {
    expect(promtool("test", "rules", "telltale.test.yml")).toContain("SUCCESS");
  }, 240_000); // days of samples: twenty seconds of CPU

  test("each have a case in which they fire", () => {
    const cases = parse(readFileSync(join(alerts, "telltale.test.yml"), "utf8")).tests.flatMap(
      (each: { alert_rule_test: { alertname: string; exp_alerts: object[] }[] }) => each.alert_rule_test,
    );
    const fired = new Set(
      cases.flatMap((each: { alertname: string; exp_alerts: object[] }) =>
        each.exp_alerts.length > 0 ? each.alertname : [],
      ),
    );
    // The slow burns of the other objectives are the same rule with another series.
    const same = new Set(["TelltaleAcksSlowSlow", "TelltaleAlertsLateSlow"]);
    for (const { alert } of rules) if (alert !== undefined && !same.has(alert)) expect(fired).toContain(alert);
  });
});
