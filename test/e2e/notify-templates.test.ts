/** A file as Alertmanager's users have it, with templates of its own, applied and told to real receivers. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NotificationService } from "../../gen/es/telltale/v1/notification_pb.ts";
import { runCli } from "../../testing/cli.ts";
import { type MailSink, startMailSink } from "../../testing/mail-sink.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";

const TEMPLATES = `{{/* As many teams have it. */}}
{{ define "__single_message_title" }}{{ range .Alerts.Firing }}{{ .Labels.alertname }} @ {{ .Annotations.identifier }}{{ end }}{{ range .Alerts.Resolved }}{{ .Labels.alertname }}{{ end }}{{ end }}

{{ define "custom_title" }}[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] {{ if or (and (eq (len .Alerts.Firing) 1) (eq (len .Alerts.Resolved) 0)) (and (eq (len .Alerts.Firing) 0) (eq (len .Alerts.Resolved) 1)) }}{{ template "__single_message_title" . }}{{ end }}{{ end }}

{{ define "custom_slack_message" }}
{{- $status := .Status }}
{{- range $i, $alert := .Alerts }}
*{{ $i }}: {{ $alert.Labels.alertname | title }}* ({{ $status }}) {{ reReplaceAll "https?://([^/]+)/.*" "$1" $alert.GeneratorURL }}
{{ range $alert.Labels.SortedPairs }}• {{ .Name }}: \`{{ .Value }}\`
{{ end }}
{{- with $alert.Annotations.runbook_url }}<{{ . }}|Runbook>{{ else }}no runbook{{ end }}
{{- end }}
{{- end }}
`;
const HTML = `{{ define "mail.html" }}<h1>{{ .CommonLabels.alertname }}</h1>{{ range .Alerts }}<p title="{{ .Annotations.summary }}">{{ .Annotations.summary }} since {{ .StartsAt.Format "2006" }}</p>{{ end }}<a href="{{ .ExternalURL }}">more</a>{{ end }}`;

describe("templates of notifications", () => {
  let platform: Platform;
  let sink: WebhookSink;
  let mail: MailSink;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "telltale-templates-"));
    [sink, mail] = await Promise.all([startWebhookSink(), startMailSink()]);
    const environment = { NOTIFY_ALLOWED_HOSTS: "127.0.0.1", EXTERNAL_URL: "https://telltale.example" };
    for (const name of ["data", "templates"]) await mkdir(join(folder, name));
    platform = await startPlatform({ ...environment, DATA_DIR: join(folder, "data") });

    await writeFile(join(folder, "templates/slack.tmpl"), TEMPLATES);
    await writeFile(join(folder, "templates/mail.tmpl"), HTML);
  });
  afterAll(async () => {
    await platform?.stop();
    await Promise.all([sink?.close(), mail?.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  const configuration = (subject = '{{ template "custom_title" . }}') => `
global:
  resolve_timeout: 5m
  slack_api_url: ${sink.url}/slack
  smtp_smarthost: 127.0.0.1:${mail.port}
  smtp_from: alerts@example.com
  smtp_require_tls: false
templates:
  - templates/*.tmpl
route:
  receiver: team
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
receivers:
  - name: team
    slack_configs:
      - channel: '#alerts'
        send_resolved: true
        update_message: true
        title: '{{ template "custom_title" . }}'
        text: '{{ template "custom_slack_message" . }}'
        color: '{{ if eq .Status "firing" }}danger{{ else }}good{{ end }}'
    email_configs:
      - to: team@example.com
        headers:
          Subject: '${subject}'
        html: '{{ template "mail.html" . }}'
`;
  const taken = (subject?: string) => configuration(subject).replace(/ +update_message: .*\n/, "");
  async function apply(text: string, ...more: string[]) {
    const file = join(folder, "alertmanager.yml");
    await writeFile(file, text);
    const run = runCli("notify", "apply", file, "--url", platform.grpc, ...more);
    return { code: await run.ended, out: run.stdout(), err: run.stderr() };
  }
  const tell = (alertname: string) =>
    fetch(`${platform.http}/api/v2/alerts`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([
        {
          labels: { alertname, severity: "critical", instance: "<!channel>" },
          annotations: { summary: "<b>hot</b>", identifier: "press 3" },
          generatorURL: "https://prometheus.example/graph?g0.expr=up",
        },
      ]),
    });

  test("what cannot be taken is named by line, and nothing is applied", async () => {
    const { code, err } = await apply(configuration("{{ .Status | shout }}"), "--dry-run");
    expect(code).toBe(1);
    expect(err).toMatch(
      /alertmanager\.yml:20:\d+: receivers\[0\]\.slack_configs\[0\]\.update_message: is not available yet/,
    );
    expect(err).toMatch(/alertmanager\.yml:27:\d+: .*headers\.Subject: there is no function "shout"/);
    await writeFile(join(folder, "templates/wrong.tmpl"), '{{ define "x" }}\n{{ end');
    expect((await apply(taken())).err).toMatch(/alertmanager\.yml:9:\d+: templates: templates\/wrong\.tmpl:2:1: /);
    await rm(join(folder, "templates/wrong.tmpl"));
    expect(await apply(taken(), "--dry-run")).toMatchObject({ code: 0, out: "It can be applied.\n" });
    const notifications = createClient(NotificationService, createGrpcTransport({ baseUrl: platform.grpc }));
    expect((await notifications.getNotificationConfig({})).config?.revision ?? 0n).toBe(0n);
  });

  test("messages have the texts of the templates, without what a value could do in them", async () => {
    expect(await apply(taken())).toMatchObject({ code: 0, out: "Revision 1 is in force.\n" });
    expect((await tell("HotPress")).status).toBe(200);
    const { body } = await sink.find(({ path }) => path === "/slack");
    const [attachment] = JSON.parse(String(body)).attachments;
    expect(attachment).toMatchObject({ title: "[FIRING:1] HotPress @ press 3", color: "danger" });
    expect(attachment.text).toBe(
      "\n*0: Hotpress* (firing) prometheus.example\n• alertname: `HotPress`\n• instance: `&lt;!channel&gt;`\n• severity: `critical`\nno runbook",
    );
    await expect.poll(() => mail.mailed.length).toBe(1);
    const sent = mail.mailed[0]!.mail;
    expect(sent.subject).toBe("[FIRING:1] HotPress @ press 3");
    expect(sent.html).toContain('<h1>HotPress</h1><p title="&lt;b&gt;hot&lt;/b&gt;">&lt;b&gt;hot&lt;/b&gt; since 20');
    expect(sent.html).toContain('<a href="https://telltale.example">more</a>');
  });

  test("where a template fails, the platform's own text arrives, and the record says why", async () => {
    expect(await apply(taken("{{ index .Alerts 7 }}"))).toMatchObject({ code: 0 });
    expect((await tell("Second")).status).toBe(200);
    await expect.poll(() => mail.mailed.length).toBe(2);
    expect(mail.mailed[1]!.mail.subject).toBe("[CRITICAL] <b>hot</b>");
    const why =
      "a template failed, and a text of the platform was sent instead: receivers[0].email_configs[0].headers.Subject:1:4: asks for entry 7 of 1";
    const listed = async () => {
      const run = runCli("notify", "deliveries", "--state", "sent", "--url", platform.grpc);
      await run.ended;
      return run.stdout();
    };
    await expect.poll(listed).toContain(why);
    const tried = runCli("notify", "test", "team", "--url", platform.grpc);
    expect(await tried.ended).toBe(0);
    expect(tried.stdout()).toContain(`taken: ${why}`);
  });

  test("they are shown with the configuration, and preview takes them", async () => {
    const file = join(folder, "alertmanager.yml");
    const shown = runCli("notify", "show", "--url", platform.grpc);
    expect(await shown.ended).toBe(0);
    expect(shown.stderr()).toContain("with the templates of templates/mail.tmpl");
    const one = runCli("notify", "show", "--template", "templates/mail.tmpl", "--url", platform.grpc);
    expect(await one.ended).toBe(0);
    expect(one.stdout()).toBe(HTML);
    const none = runCli("notify", "show", "--template", "mail.tmpl", "--url", platform.grpc);
    expect(await none.ended).toBe(1);
    expect(none.stderr()).toContain("Its files: templates/mail.tmpl, templates/slack.tmpl.");
    const preview = runCli("notify", "preview", file, "--url", platform.grpc);
    expect(await preview.ended).toBe(0);
    const checked = runCli("notify", "check", file);
    expect(await checked.ended).toBe(0);
  });

  test("a pattern that fits more files than a configuration may have is refused before they are read", async () => {
    await mkdir(join(folder, "many"));
    // What is no file cannot be read: nothing of it is.
    await Promise.all(Array.from({ length: 101 }, (_, i) => mkdir(join(folder, "many", `${i}.tmpl`))));
    const file = join(folder, "many.yml");
    await writeFile(file, "templates: ['many/*']\nroute: { receiver: a }\nreceivers: [{ name: a }]\n");
    const checked = runCli("notify", "check", file);
    expect(await checked.ended).toBe(1);
    expect(checked.stderr()).toContain("many.yml: templates names more than 100 files");
  });
});
