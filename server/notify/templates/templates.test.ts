/** Templates as Go fills them in: the expected texts are those of Alertmanager's own tool, which is asked where it is installed. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith, program } from "../../../testing/needs.ts";
import { HTML, TEXTS } from "../../../testing/template-cases.ts";
import type { Message } from "../message.ts";
import { parseTemplate } from "./parse.ts";
import { placeIn, TemplateProblem } from "./problem.ts";
import { fillingOf, TemplateLibrary } from "./template.ts";
import type { Mode } from "./writers.ts";

const run = promisify(execFile);
const START_US = Date.UTC(2026, 9, 3, 4, 5, 6) * 1_000 + 789_012;
const END_US = START_US + 3_725_500_000;
const PUMP = { alertname: "High", severity: "critical", instance: "pump-1" };
const MESSAGE: Message = {
  ...{ key: "k", receiver: "ops team", groupKey: "g", status: "firing", truncatedAlerts: 0 },
  ...{ groupLabels: { alertname: "High" }, commonLabels: { alertname: "High", severity: "critical" } },
  ...{ commonAnnotations: { team: "a & b" }, externalUrl: "https://am.example.com" },
  alerts: [
    {
      id: "1",
      labels: PUMP,
      annotations: { summary: "<b>hot</b> & loud", n: "-7" },
      status: "firing",
      startsUs: START_US,
    },
    {
      id: "2",
      labels: { ...PUMP, instance: "pump-2" },
      annotations: {},
      status: "resolved",
      startsUs: START_US,
      endsUs: END_US,
    },
  ],
};

function filledIn(source: string, mode: Mode = "text"): string {
  const template = new TemplateLibrary().read(source, "x.tmpl", { mode, most: 1_000_000, isWhole: true });
  return template.fill(fillingOf(MESSAGE, END_US));
}

test.each(TEXTS)("%s", (template, expected) => {
  expect(filledIn(template)).toBe(expected);
});

test("blanks that Go does not know count as blanks: texts that are copied out of pages have them", () => {
  expect(filledIn('{{\u00a0printf\u2009"%s"\u00a0.Status }}')).toBe("firing");
});

test("a link is no program, also where it is put together", () => {
  expect(filledIn('<a href="{{ "java" }}{{ "script:x" }}">', "html")).toBe('<a href="java#ZgotmplZ">');
  expect(filledIn('<a href="{{ .ExternalURL }}?u={{ "javascript:x" }}">', "html")).toContain("?u=javascript%3ax");
});

test.each(HTML)("as HTML: %s", (template, expected) => {
  expect(filledIn(template, "html")).toBe(expected);
});

test.each([
  ["<script>{{ .Status }}</script>", "in a script or a style"],
  ['<p onclick="{{ .Status }}">', "in the attribute onclick"],
  ["<{{ .Status }}>", "in the name of an element"],
  ['<p {{ .Status }}="">', "in a tag"],
])("no value stands where it could be a program: %s", (template, why) => {
  expect(() => filledIn(template, "html")).toThrow(why);
});

test("a value that ends an attribute without quotes does not", () => {
  expect(filledIn('<p title={{ "a onclick=x" }}>', "html")).toBe("<p title=a&#32;onclick&#61;x>");
});

test("Slack gets no mentions and links out of values", () => {
  expect(filledIn('*<{{ .ExternalURL }}|{{ "<!channel>" }}>*{{ safeHtml "<x>" }}', "slack")).toBe(
    "*<https://am.example.com|&lt;!channel&gt;>*<x>",
  );
});

test.each([
  ["a\n{{ .Status | upper }}", 2, "there is no function"],
  ["{{ toUppr .Status }}", 1, "did you mean toUpper?"],
  ['{{ js "a" }}', 1, "the function js is not available yet"],
  ["{{ if .Status }}\nx", 1, "that no {{ end }} ends"],
  ["x\n\n{{ end }}", 3, "has no action that it belongs to"],
  ["{{ else }}", 1, "has no action"],
  ["{{ $x }}", 1, "there is no variable $x"],
  ["{{ range .Alerts }}{{ $y := 1 }}{{ end }}\n{{ $y }}", 2, "there is no variable $y"],
  ["{{ .Status", 1, "that no }} ends"],
  ['{{ "a }}', 1, "opens a quote"],
  ["{{ 'a }}", 1, "no single character"],
  ["\n{{/* a */ x }} b {{/* c */}}", 2, "ends a comment before the action ends"],
  ["{{/* a", 1, "begins a comment that nothing ends"],
  ["{{ $x := 1 }}".repeat(1_000), 1, "more than 1000 variables"],
  ["{{ (len .Alerts }}", 1, "opens a parenthesis"],
  ["{{ }}", 1, "has no value"],
  ["{{ break }}", 1, "outside of a range"],
  ['{{ if true }}{{ define "x" }}{{ end }}{{ end }}', 1, "within another action"],
  ['{{ printf "%y" 1 }}', 1, 'printf has "%y"'],
  ["{{ 1 2 }}", 1, "gives arguments"],
  ["{{ /* x */ }}", 1, 'has "/"'],
  [`{{ ${"(".repeat(101)}1${")".repeat(101)} }}`, 1, "nests past 100 levels"],
])("what cannot be taken is named by line: %s", (template, line, message) => {
  let problem: unknown;
  try {
    parseTemplate(template, "x.tmpl");
  } catch (error) {
    problem = error;
  }
  expect(problem).toBeInstanceOf(TemplateProblem);
  expect((problem as TemplateProblem).message).toContain(message);
  expect(placeIn(template, (problem as TemplateProblem).offset).line).toBe(line);
});

test.each([
  ["x\n{{ .Lables }}", "x.tmpl:2:4: asks a message for Lables"],
  ["{{ index .Alerts 2 }}", "asks for entry 2 of 2"],
  ['{{ eq 1 "a" }}', "of different types"],
  ['{{ match "(" "a" }}', "no regular expression of RE2"],
  ['{{ tz "Mars" (index .Alerts 0).StartsAt }}', "no time zone"],
  ['{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}', "call each other past 50 levels"],
  ["{{ toUpper 1 }}", "wants a text"],
  ['{{ toUpper "a" "b" }}', "has 2 arguments"],
  [`${"{{ range $.Alerts }}".repeat(20)}x${"{{ end }}".repeat(20)}`, "more than 200000 steps"],
  [`{{ $x := "0123456789" }}${"{{ $x = print $x $x }}".repeat(20)}{{ $x }}`, "more than 262144 characters"],
  [
    '{{ $x := printf "%0999d" 1 }}{{ range $.Alerts.Firing }}{{ range (stringSlice ' +
      '"a" '.repeat(99) +
      ") }}" +
      "{{ $x = print $x }}".repeat(99) +
      "{{ $y := print $x $x $x $x $x $x $x $x }}".repeat(99) +
      "{{ end }}{{ end }}",
    "more than 200000 steps",
  ],
])("what fails while it is filled in names the line: %s", (template, message) => {
  expect(() => filledIn(template)).toThrow(message);
});

describeWith(["amtool-current"], "with Alertmanager's amtool as the oracle", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-templates-"));
    const alert = ({ labels, annotations, status, startsUs, endsUs }: Message["alerts"][number]) => ({
      ...{ status, labels, annotations, generatorURL: "https://am.example.com", fingerprint: "81478189f535971f" },
      startsAt: new Date(startsUs / 1_000).toISOString().replace("Z", "012Z"),
      endsAt:
        endsUs === undefined ? "0001-01-01T00:00:00Z" : new Date(endsUs / 1_000).toISOString().replace("Z", "012Z"),
    });
    const { receiver, status, groupLabels, commonLabels, commonAnnotations, externalUrl: externalURL } = MESSAGE;
    const data = {
      receiver,
      status,
      groupLabels,
      commonLabels,
      commonAnnotations,
      externalURL,
      alerts: MESSAGE.alerts.map(alert),
    };
    await writeFile(join(folder, "data.json"), JSON.stringify(data));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function rendered(template: string, type: "text" | "html"): Promise<string> {
    const data = join(folder, "data.json");
    const args = [
      "template",
      "render",
      "--template.glob=",
      `--template.text=${template}`,
      `--template.type=${type}`,
      `--template.data=${data}`,
    ];
    const { stdout } = await run(program("amtool-current")!, args);
    return stdout;
  }

  test.each(TEXTS)("%s", async (template, expected) => {
    expect(await rendered(template, "text")).toBe(expected);
  });
  test.each(HTML)("as HTML: %s", async (template, expected) => {
    expect(await rendered(template, "html")).toBe(expected);
  });
});
