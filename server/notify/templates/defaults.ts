/** Templates that Alertmanager brings with it, for files that name them. */

import type { Definition } from "./nodes.ts";
import { parseTemplate } from "./parse.ts";

const ALERTS = `{{ range . }}Labels:
{{ range .Labels.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Annotations:
{{ range .Annotations.SortedPairs }} - {{ .Name }} = {{ .Value }}
{{ end }}Source: {{ .GeneratorURL }}
{{ end }}`;
const MARKDOWN_ALERTS = `{{ range . }}
Labels:
{{ range .Labels.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Annotations:
{{ range .Annotations.SortedPairs }}  - {{ .Name }} = {{ .Value }}
{{ end }}
Source: {{ .GeneratorURL }}
{{ end }}
`;

function both(list: string, mark = ""): string {
  return `
{{ if gt (len .Alerts.Firing) 0 }}
${mark}Alerts Firing:
{{ template "${list}" .Alerts.Firing }}
{{ end }}
{{ if gt (len .Alerts.Resolved) 0 }}
${mark}Alerts Resolved:
{{ template "${list}" .Alerts.Resolved }}
{{ end }}
`;
}

const SUBJECT = '{{ template "__subject" . }}';
const URL = '{{ template "__alertmanagerURL" . }}';
const VALUES_AND_ALERTS = `{{ .CommonAnnotations.SortedPairs.Values | join " " }}${both("__text_alert_list")}`;
const NAME = '{{ template "__alertmanager" . }}';
const COLOR = '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}';

const TEXTS: Readonly<Record<string, string>> = {
  __alertmanager: "Telltale",
  __alertmanagerURL: "{{ .ExternalURL }}",
  __subject:
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ .GroupLabels.SortedPairs.Values | join " " }} {{ if gt (len .CommonLabels) (len .GroupLabels) }}({{ with .CommonLabels.Remove .GroupLabels.Names }}{{ .Values | join " " }}{{ end }}){{ end }}',
  __description: "",
  __text_alert_list: ALERTS,
  __text_alert_list_markdown: MARKDOWN_ALERTS,
  "email.default.subject": SUBJECT,
  "email.default.html":
    '<p>{{ template "__subject" . }}</p>{{ range .Alerts }}<p><b>{{ .Status | toUpper }}</b></p><ul>{{ range .Labels.SortedPairs }}<li>{{ .Name }} = {{ .Value }}</li>{{ end }}{{ range .Annotations.SortedPairs }}<li>{{ .Name }} = {{ .Value }}</li>{{ end }}</ul>{{ with .GeneratorURL }}<p><a href="{{ . }}">Source</a></p>{{ end }}{{ end }}',
  "slack.default.title": SUBJECT,
  "slack.default.username": NAME,
  "slack.default.fallback": '{{ template "slack.default.title" . }} | {{ template "slack.default.titlelink" . }}',
  "slack.default.callbackid": "",
  "slack.default.iconemoji": "",
  "slack.default.iconurl": "",
  "slack.default.pretext": "",
  "slack.default.titlelink": URL,
  "slack.default.text": "",
  "slack.default.footer": "",
  "slack.default.color": COLOR,
  "pagerduty.default.description": SUBJECT,
  "pagerduty.default.client": NAME,
  "pagerduty.default.clientURL": URL,
  "pagerduty.default.instances": '{{ template "__text_alert_list" . }}',
  "telegram.default.message": both("__text_alert_list"),
  "discord.default.content": "",
  "discord.default.title": SUBJECT,
  "discord.default.message": both("__text_alert_list"),
  "msteams.default.summary": SUBJECT,
  "msteams.default.title": SUBJECT,
  "msteams.default.text": both("__text_alert_list_markdown", "# "),
  "msteamsv2.default.title": SUBJECT,
  "msteamsv2.default.text": both("__text_alert_list_markdown", "# "),
  "opsgenie.default.message": SUBJECT,
  "opsgenie.default.description": VALUES_AND_ALERTS,
  "opsgenie.default.source": URL,
  "pushover.default.title": SUBJECT,
  "pushover.default.message": VALUES_AND_ALERTS,
  "pushover.default.url": URL,
  "victorops.default.state_message": VALUES_AND_ALERTS,
  "victorops.default.entity_display_name": SUBJECT,
  "victorops.default.monitoring_tool": NAME,
  "webex.default.message": VALUES_AND_ALERTS,
  "rocketchat.default.title": SUBJECT,
  "rocketchat.default.alias": NAME,
  "rocketchat.default.titlelink": URL,
  "rocketchat.default.emoji": "",
  "rocketchat.default.iconurl": "",
  "rocketchat.default.text": "",
  "mattermost.default.title": SUBJECT,
  "mattermost.default.username": NAME,
  "mattermost.default.titlelink": URL,
  "mattermost.default.fallback":
    '{{ template "mattermost.default.title" . }} | {{ template "mattermost.default.titlelink" . }}',
  "mattermost.default.color": COLOR,
  "mattermost.default.text": both("__text_alert_list_markdown", "# "),
  "jira.default.summary": SUBJECT,
  "jira.default.description": both("__text_alert_list_markdown", "# "),
  "jira.default.priority":
    '{{ $of := dict "critical" "High" "warning" "Medium" "info" "Low" }}{{ $found := "" }}{{ range list "critical" "warning" "info" }}{{ $severity := . }}{{ range $.Alerts }}{{ if and (eq $found "") (eq .Labels.severity $severity) }}{{ $found = index $of $severity }}{{ end }}{{ end }}{{ end }}{{ $found }}',
};

export const DEFAULTS: ReadonlyMap<string, Definition> = new Map(
  Object.entries(TEXTS).map(([name, source]) => [name, { body: parseTemplate(source, name).body, source, file: name }]),
);
