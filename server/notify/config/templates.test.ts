/** Templates in a configuration: what is wrong with them is told by line, and what is right fills in messages. */
import { expect, test } from "vitest";
import { notification } from "../../../testing/notification.ts";
import { filledIn } from "../channels/templated.ts";
import { filledRouteLabels } from "../templates/route-labels.ts";
import type { TemplateFile } from "../templates/template.ts";
import { parseNotifyConfig } from "./parse.ts";
import { templateGlobs } from "./template-globs.ts";

const NOW_US = 1_700_000_000_000_000;

function problemsOf(text: string, files: readonly TemplateFile[] = []): string[] {
  const parsed = parseNotifyConfig(text, files);
  const problems = "problems" in parsed ? parsed.problems : [];
  return problems.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}

function filled(text: string, files: readonly TemplateFile[] = []) {
  const parsed = parseNotifyConfig(text, files);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return filledIn(parsed.config.receivers[0]!.channels[0]!, notification(), NOW_US);
}

const slack = (rest: string) => `route: {receiver: a}
receivers:
  - name: a
    slack_configs:
      - api_url: https://x.example
${rest}`;

test("what is wrong with a text is told with its line, also within a block", () => {
  expect(
    problemsOf(
      slack(`        title: '{{ .Status | nope }}'
        text: |-
          first
          {{ range .Alerts }}
            {{ .Status | upper }}
          {{ end }}
        footer: "{{ template \\"nobody's\\" . }}"
`),
    ),
  ).toEqual([
    '6:30 receivers[0].slack_configs[0].title: there is no function "nope": functions are those of the guide.',
    '10:26 receivers[0].slack_configs[0].text: there is no function "upper"; did you mean toUpper?',
    `12:17 receivers[0].slack_configs[0].footer: at line 1, column 13 of the text: there is no template "nobody's": define it, or add its file to templates.`,
  ]);
});

test("what is wrong with a file of templates is told with the file's own line", () => {
  const text = `templates: [a.tmpl, 'more/*.tmpl']\n${slack("")}`;
  const files = [
    { path: "a.tmpl", text: '{{ define "x" }}\n  {{ .Status | upper }}\n{{ end }}' },
    { path: "more/b.tmpl", text: '{{ define "y" }}{{ end }}' },
  ];
  expect(problemsOf(text, files)).toEqual([
    '1:12 templates: a.tmpl:2:16: there is no function "upper"; did you mean toUpper?',
  ]);
  expect(problemsOf(text, [{ path: "a.tmpl", text: '\n{{ template "z" }}' }])).toEqual([
    '1:12 templates: a.tmpl:2:13: there is no template "z": define it, or add its file to templates.',
  ]);
  expect(problemsOf(text)).toEqual(["1:13 templates[0]: there is no such file."]);
});

test("files of templates have bounds, all together", () => {
  const text = `templates: ['*.tmpl']\n${slack("")}`;
  const large = Array.from({ length: 2 }, (_, i) => ({ path: `${i}.tmpl`, text: "x".repeat(300_000) }));
  expect(problemsOf(text, large)).toEqual([
    "1:12 templates: names files of 600000 characters: at most 524288 are taken.",
  ]);
  const many = Array.from({ length: 101 }, (_, i) => ({ path: `${i}.tmpl`, text: "" }));
  expect(problemsOf(text, many)).toEqual(["1:12 templates: names 101 files: at most 100 are taken."]);
});

test("texts use templates of files, the last definition of a name counts, and Alertmanager's own are there", () => {
  const files = [
    { path: "a.tmpl", text: '{{ define "x" }}first{{ end }}{{ define "y" }}{{ template "x" . }}!{{ end }}' },
    { path: "b.tmpl", text: '{{ define "x" }}{{ .Status }}{{ end }}{{ define "slack.default.text" }}own{{ end }}' },
  ];
  const { config, failures } = filled(
    `templates: [a.tmpl, b.tmpl]\n${slack(`        title: '{{ template "y" . }}'
        text: '{{ template "slack.default.text" . }}'
        color: '{{ template "slack.default.color" . }}'
        fields: [{title: Sensor, value: '{{ .CommonLabels.sensor_id }}'}]
`)}`,
    files,
  );
  expect(failures).toEqual([]);
  expect(config).toMatchObject({
    ...{ title: "firing!", body: "own", color: "danger" },
    fields: [{ title: "Sensor", value: "press-3/temperature" }],
  });
});

test("a text that cannot be filled in is left out, and the reason names its place", () => {
  const { config, failures } = filled(slack("        title: '{{ .Lables }}'\n        username: '{{ .Status }}'\n"));
  expect(config).not.toHaveProperty("title");
  expect(config).toMatchObject({ username: "firing" });
  expect(failures).toEqual([
    "receivers[0].slack_configs[0].title:1:4: asks a message for Lables, which it does not have.",
  ]);
});

test("a line stays a line, and values in HTML stay values", () => {
  const { config } = filled(`route: {receiver: a}
receivers:
  - name: a
    email_configs:
      - to: a@example.com
        from: b@example.com
        smarthost: mail.example.com:25
        headers: {Subject: "{{ range .Alerts }}\\n{{ .Status }}\\r\\nBcc: x{{ end }}"}
        html: '<b>{{ "<i>" }}</b>'
        text: ''
`);
  expect(config).toMatchObject({ headers: { Subject: "firing Bcc: x" }, html: "<b>&lt;i&gt;</b>", text: "" });
});

test("an e-mail has one part at least", () => {
  const smtp = "to: a@example.com, from: b@example.com, smarthost: 'mail.example.com:25'";
  expect(
    problemsOf(`route: {receiver: a}\nreceivers: [{name: a, email_configs: [{${smtp}, html: '', text: ''}]}]`),
  ).toEqual([expect.stringContaining("has neither html nor text")]);
});

test("the files that a configuration names are known before it is read, whatever else is wrong with it", () => {
  expect(templateGlobs("templates: [a.tmpl, 'b/*.tmpl']\nroute: 7")).toEqual(["a.tmpl", "b/*.tmpl"]);
  expect(templateGlobs("templates: a.tmpl")).toEqual([]);
  expect(templateGlobs("[")).toEqual([]);
});

const ROUTES = `route:
  receiver: a
  labels:
    team: north
    where: '{{ .CommonLabels.location }} of {{ routeLabels "team" }}'
    why: "{{ .NotificationReason }}"
  routes:
    - matchers: [severity="critical"]
      labels: { team: "{{ .Receiver }}", round: '{{ routeLabels "about" }}', about: '{{ routeLabels "round" }}' }
receivers:
  - name: a
    slack_configs: [{ api_url: "https://x.example", title: '{{ .RouteLabels.where }}/{{ routeLabels "none" }}' }]
`;

test("labels of routes are inherited one by one, filled in for the message, and use each other but not themselves", () => {
  const parsed = parseNotifyConfig(ROUTES);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  const { route, receivers } = parsed.config;
  const own = filledRouteLabels(route.labels, notification(), NOW_US);
  expect(own).toEqual({ routeLabels: { team: "north", where: "hall 1 of north", why: "unknown" } });
  const below = filledRouteLabels(route.routes[0]!.labels, notification({ receiver: "a" }), NOW_US);
  expect(below).toEqual({
    routeLabels: { team: "a", where: "hall 1 of a", why: "unknown" },
    routeLabelTroubles: [
      "labels of a route use each other: round → about → round.",
      "labels of a route use each other: about → round → about.",
    ],
  });
  const { config, failures } = filledIn(receivers[0]!.channels[0]!, { ...notification(), ...below }, NOW_US);
  expect(config).toMatchObject({ title: "hall 1 of a/" });
  expect(failures).toEqual(below.routeLabelTroubles);
});
