/** Configurations that an earlier version took, and that the rules of this one refuse. */
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AlertHistory, storeAlerts, storeEvents } from "../../testing/alert-events.ts";
import { recordingLogger } from "../../testing/logger.ts";
import { describeWith } from "../../testing/needs.ts";
import { useDatabase } from "../../testing/use-database.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";
import { systemClock } from "../clock.ts";
import { Feed } from "../live/feed.ts";
import { openStoreSql } from "../store/postgres.ts";
import { AddressGuard } from "./channels/addresses.ts";
import { ConfigInForce } from "./config/in-force.ts";
import { writeConfig } from "./config/store.ts";
import { Notifier } from "./notifier.ts";
import type { Step } from "./planner.ts";
import type { TemplateFile } from "./templates/template.ts";

describeWith(["postgres"], "a configuration that an earlier version took", () => {
  let sql: Sql;
  let url: string;
  let sink: WebhookSink;
  const history = new AlertHistory();
  const changes = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  let revision = 0;
  useDatabase("upgrade", (database) => {
    ({ sql, url } = database);
  });
  beforeAll(async () => {
    sink = await startWebhookSink();
    await sql`insert into log_partition (partition) values (0) on conflict do nothing`;
  });
  afterAll(() => sink.close());

  const apply = async (text: string, templates: readonly TemplateFile[] = []) => {
    const stored = await writeConfig(sql, { after: revision, text, templates, appliedUs: 0, appliedBy: "anna" });
    revision = stored!.revision;
  };

  /** What is posted of an alert that opens now, and what the notifier says of the configuration meanwhile. */
  async function told(alert: string) {
    const { logger, lines } = recordingLogger();
    const decided = Promise.withResolvers<Step>();
    const notifier = new Notifier({
      planSql: openStoreSql(url, 1, 60_000, "upgrade-test"),
      ...{ sql, clock: systemClock, logger, changes, externalUrl: "" },
      channels: {
        addresses: new AddressGuard(["127.0.0.1"]),
        ...{ environment: {}, clock: systemClock, source: "/telltale" },
      },
      onStep: (step) => step !== undefined && decided.resolve(step),
      onAttempt: () => {},
    });
    try {
      const step = await decided.promise;
      const posted = sink.find(({ body }) => String(body).includes(alert));
      const first = history.events.length;
      history.open(alert, first);
      const events = history.events.slice(first);
      await storeAlerts(sql, events);
      await storeEvents(sql, events);
      changes.push(null, 1);
      const { path, body } = await posted;
      return {
        step,
        path,
        body: JSON.parse(String(body)),
        said: lines().find(({ msg }) => String(msg).includes("cannot be read")),
      };
    } finally {
      await notifier.close();
    }
  }

  const slack = (text: string, templates = "") => `
${templates}
route: { receiver: a, group_by: [sensor_id], group_wait: 0s, group_interval: 20ms }
receivers:
  - name: a
    slack_configs: [{ api_url: '${sink.url}/a', title: '{{ .Status }} of {{ .GroupLabels.sensor_id }}', text: '${text}' }]
`;

  test.each([
    ["a verb that printf does not have", '{{ printf "%#v" .Status }}'],
    ["text behind a comment", "{{/* a comment */ .Status }}"],
    ["more variables than a template may have", "{{ $a := 1 }}".repeat(1_001)],
    ["a template that is nowhere", '{{ template "gone" . }}'],
  ])("tells people in spite of %s: by our text, with the other texts as they are written", async (_, text) => {
    await apply(slack(text));
    const sensor = `s${revision}`;
    const { body, step, said } = await told(sensor);
    const [{ title, text: made }] = body.attachments;
    expect(title).toBe(`firing of ${sensor}`);
    expect(made).toContain(sensor);
    expect(step.problems).toBe(1);
    expect(said).toMatchObject({
      level: "error",
      revision,
      problems: [expect.stringMatching(/^6:\d+ receivers\[0\]/)],
    });
  });

  test("tells people in spite of a file of templates that cannot be read: what it defines is not there", async () => {
    const file = { path: "/etc/t.tmpl", text: '{{ define "own" }}{{ printf "%#v" .Status }}{{ end }}' };
    await apply(slack('{{ template "own" . }}', "templates: [/etc/t.tmpl]"), [file]);
    const { body, step } = await told(`s${revision}`);
    expect(body.attachments[0].text).toContain(`s${revision}`);
    expect(step.problems).toBe(2);
    const { problems } = await new ConfigInForce().read(sql);
    expect(problems.map(({ message }) => message).join("\n")).toMatch(/\/etc\/t\.tmpl:1:\d+: printf has .*%#v/);
  });

  test("tells people by the last one before it that can be read, and says which", async () => {
    const good = revision;
    await apply("route: { of: yesterday }");
    const { path, step, said } = await told("by-the-last");
    expect(path).toBe("/a");
    expect(step.problems).toBeGreaterThan(0);
    expect(said).toMatchObject({
      ...{ level: "error", revision, usedRevision: good },
      problems: expect.arrayContaining([expect.stringContaining('"of" is no setting of a route')]),
    });
  });
});
