/** Templates as Go fills them in: the expected texts are those of Alertmanager's own tool, which is asked where it is installed. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith, program } from "../../../testing/needs.ts";
import type { Message } from "../message.ts";
import { templateData } from "./data.ts";
import { DEFAULTS } from "./defaults.ts";
import { evaluate, type Mode } from "./evaluate.ts";
import { parseTemplate } from "./parse.ts";
import { placeIn, TemplateProblem } from "./problem.ts";

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
  const { body, defined } = parseTemplate(source, "x.tmpl");
  return evaluate({
    template: { body, source, file: "x.tmpl" },
    definitions: new Map([...DEFAULTS, ...defined]),
    ...{ data: templateData(MESSAGE), mode, nowUs: END_US },
  });
}

const TEXTS: readonly (readonly [template: string, expected: string])[] = [
  ["a {{- 1 -}} b {{ 2 }}c", "a1b 2c"],
  ["a {{/* not \n shown */}} b {{- /* neither */ -}} c", "a  bc"],
  ["{{ .Receiver }} {{ .Status | toUpper }} {{ $.Status }}", "ops team FIRING firing"],
  ["{{ .CommonLabels.severity }}/{{ .CommonLabels.none }}/{{ .GroupLabels }}", "critical//alertname=High"],
  ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 3 }}{{ $x }}{{ end }}{{ $x }}", "32"],
  ['{{ if eq .Status "x" }}1{{ else if gt (len .Alerts) 1 }}2{{ else }}3{{ end }}', "2"],
  ["{{ if not .CommonLabels.none }}no{{ end }}{{ if .CommonAnnotations }}yes{{ end }}", "noyes"],
  ["{{ range .Alerts }}[{{ .Labels.instance }}]{{ end }}", "[pump-1][pump-2]"],
  ["{{ range $i, $a := .Alerts }}{{ $i }}={{ $a.Labels.instance }} {{ end }}", "0=pump-1 1=pump-2 "],
  ["{{ range $k, $v := .CommonLabels }}{{ $k }}={{ $v }};{{ end }}", "alertname=High;severity=critical;"],
  [
    "{{ range (index .Alerts 0).Labels.SortedPairs }}{{ .Name }}={{ .Value }} {{ end }}",
    "alertname=High instance=pump-1 severity=critical ",
  ],
  ["{{ range stringSlice }}x{{ else }}none{{ end }}", "none"],
  [
    '{{ range .Alerts }}{{ if eq .Status "resolved" }}{{ break }}{{ end }}{{ .Status }}{{ continue }}x{{ end }}',
    "firing",
  ],
  [
    "{{ with .CommonLabels.severity }}{{ . }}{{ else }}none{{ end }}{{ with .CommonLabels.x }}{{ . }}{{ else }}none{{ end }}",
    "criticalnone",
  ],
  ["{{ with $x := .Status }}{{ $x }}{{ end }}", "firing"],
  ['{{ define "a" }}<{{ . }}>{{ end }}{{ template "a" .Status }}{{ template "a" }}', "<firing><<no value>>"],
  ['{{ block "b" .Alerts }}{{ len . }}{{ end }}', "2"],
  ["{{ .Alerts.Firing | len }}{{ len .Alerts.Resolved }}", "11"],
  ['{{ (.CommonLabels.Remove .GroupLabels.Names).Values | join ", " }}', "critical"],
  [
    '{{ .CommonLabels.SortedPairs.Names | join "-" }} {{ .CommonLabels.Names }} {{ .CommonLabels.Values.Join ":" }} {{ .CommonLabels.SortedPairs }}',
    "alertname-severity [alertname severity] High:critical alertname=High, severity=critical",
  ],
  ['{{ and 1 0 }} {{ and 1 2 }} {{ or 0 "x" }} {{ or 0 0.0 }} {{ and false (index .Alerts 9) }}', "0 2 x 0 false"],
  [
    '{{ eq 1 2 1 }} {{ ne "a" "b" }} {{ lt 1 2 }} {{ le 2.5 2.5 }} {{ gt "b" "a" }} {{ ge 1 2 }}',
    "true true true true true false",
  ],
  ['{{ index .CommonLabels "severity" }} {{ slice "abcdef" 1 3 }} {{ len "é" }}', "critical bc 2"],
  ['{{ print 1 2 "a" 3 4 true }}|{{ println "x" 1 }}', "1 2a3 4 true|x 1\n"],
  [
    '{{ printf "%s|%5s|%-5s|%q|%v|%d|%05d|%+d|%x|%.2f|%t|%%" "a" "b" "c" "d\\n" 1.5 2 -3 4 255 1.005 true }}',
    'a|    b|c    |"d\\n"|1.5|2|-0003|+4|ff|1.00|true|%',
  ],
  ['{{ printf "%d %s" 1 }}{{ printf "%s" "a" 2 }}', "1 %!s(MISSING)a%!(EXTRA int=2)"],
  [
    '{{ 1e3 }} {{ 0x1F }} {{ 1.50 }} {{ -2 }} {{ `r\\n` }} {{ "\\u00e9\\t" }} {{ 1e21 }} {{ 0.00001 }}',
    "1000 31 1.5 -2 r\\n é\t 1e+21 1e-05",
  ],
  ['{{ html .CommonAnnotations.team }} {{ urlquery "a b/&é~" }}', "a &amp; b a+b%2F%26%C3%A9~"],
  ['{{ "aBC def-ghi_jkl don\'t 1st" | title }} {{ toLower "ÀB" }}', "Abc Def-Ghi_jkl Don't 1St àb"],
  [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Go's
    '{{ trimSpace " a " }} {{ match "^pu.p" "pump" }} {{ reReplaceAll "(p)(?P<x>u)" "${2}${x}-$1_" "pump pu" }}',
    "a true uu-mp uu-",
  ],
  ['{{ join "+" (stringSlice "a" "b") }} {{ stringSlice "a" "b" }}', "a+b [a b]"],
  [
    "{{ (index .Alerts 0).StartsAt }} {{ (index .Alerts 0).EndsAt }}",
    "2026-10-03 04:05:06.789012 +0000 UTC 0001-01-01 00:00:00 +0000 UTC",
  ],
  [
    '{{ (index .Alerts 0).StartsAt.Format "Mon Jan _2 2006 3:04PM Z07:00 .000 002" }}',
    "Sat Oct  3 2026 4:05AM Z .789 276",
  ],
  [
    '{{ (index .Alerts 0).StartsAt | tz "Europe/Berlin" | date "Monday, 02-Jan-06 15:04:05 MST -0700" }}',
    "Saturday, 03-Oct-26 06:05:06 CEST +0200",
  ],
  [
    "{{ with index .Alerts 1 }}{{ .EndsAt.Sub .StartsAt }} {{ .EndsAt.Sub .StartsAt | humanizeDuration }} {{ .StartsAt.Unix }}{{ end }}",
    "1h2m5.5s 1h 2m 5s 1791000306",
  ],
  [
    '{{ humanizeDuration 0.0123456 }} {{ humanizeDuration 59.87654 }} {{ humanizeDuration "90061" }} {{ humanizeDuration 0 }}',
    "12.35ms 59.88s 1d 1h 1m 1s 0s",
  ],
  [
    '{{ toJson .CommonLabels }} {{ toJson "<&>" }} {{ toJson (index .Alerts 0).StartsAt }}',
    '{"alertname":"High","severity":"critical"} "\\u003c\\u0026\\u003e" "2026-10-03T04:05:06.789012Z"',
  ],
  [
    "{{ (index .Alerts 0).Fingerprint }} {{ (index .Alerts 0).GeneratorURL }}",
    "81478189f535971f https://am.example.com",
  ],
  ['{{ template "__subject" . }}|{{ template "slack.default.color" . }}', "[FIRING:1] High (critical)|danger"],
  [
    '{{ template "__text_alert_list" .Alerts.Firing }}',
    "Labels:\n - alertname = High\n - instance = pump-1\n - severity = critical\nAnnotations:\n - n = -7\n - summary = <b>hot</b> & loud\nSource: https://am.example.com\n",
  ],
];

test.each(TEXTS)("%s", (template, expected) => {
  expect(filledIn(template)).toBe(expected);
});

const HTML: readonly (readonly [template: string, expected: string])[] = [
  ["<p>{{ (index .Alerts 0).Annotations.summary }}</p>", "<p>&lt;b&gt;hot&lt;/b&gt; &amp; loud</p>"],
  ['<p title="{{ "a\\"b\'" }}">', '<p title="a&#34;b&#39;">'],
  ["<p title='{{ \"a\\\"b'\" }}'>", "<p title='a&#34;b&#39;'>"],
  ['<a href="{{ "javascript:alert(1)" }}">', '<a href="#ZgotmplZ">'],
  ['<a href="{{ .ExternalURL }}/x">x</a>', '<a href="https://am.example.com/x">x</a>'],
  ['{{ safeHtml "<i>x</i>" }}{{ "<i>" }}', "<i>x</i>&lt;i&gt;"],
  ['<b style="color: {{ "#ff0000" }}">{{ "a+b" }}</b>', '<b style="color: #ff0000">a&#43;b</b>'],
  ['<title>{{ "</title>" }}</title>{{ if true }}<b>{{ end }}{{ 1 }}</b>', "<title>&lt;/title&gt;</title><b>1</b>"],
];

test("a link is no program, also where it is put together", () => {
  expect(filledIn('<a href="{{ "java" }}{{ "script:x" }}">', "html")).toBe('<a href="java#ZgotmplZ">');
  expect(filledIn('<a href="{{ .ExternalURL }}?u={{ "javascript:x" }}">', "html")).toContain("?u=javascript:x");
});

test.each(HTML)("as HTML: %s", (template, expected) => {
  expect(filledIn(template, "html")).toBe(expected);
});

test.each([
  ["<script>{{ .Status }}</script>", "in a script or a style"],
  ['<p onclick="{{ .Status }}">', "in the attribute onclick"],
  ["<{{ .Status }}>", "in the name of an element"],
  ['<p {{ .Status }}="">', "in a tag"],
  ["<!-- {{ .Status }} -->", "in a comment"],
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
  ['{{ dict "a" 1 }}', 1, "the function dict is not available yet"],
  ["{{ if .Status }}\nx", 1, "that no {{ end }} ends"],
  ["x\n\n{{ end }}", 3, "has no action that it belongs to"],
  ["{{ else }}", 1, "has no action"],
  ["{{ $x }}", 1, "there is no variable $x"],
  ["{{ range .Alerts }}{{ $y := 1 }}{{ end }}\n{{ $y }}", 2, "there is no variable $y"],
  ["{{ .Status", 1, "that no }} ends"],
  ['{{ "a }}', 1, "opens a quote"],
  ["{{ 'a' }}", 1, "character constant"],
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
  ["x\n{{ .Lables }}", "x.tmpl:2: asks a message for Lables"],
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
