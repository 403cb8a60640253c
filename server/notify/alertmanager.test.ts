/** An existing Alertmanager, Debian's own, that is notified of alerts. */
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Severity } from "../../gen/es/telltale/v1/reading_pb.ts";
import { AlertHistory, storeAlerts, storeEvents } from "../../testing/alert-events.ts";
import { type Alertmanager, startAlertmanager, tellingAll } from "../../testing/alertmanager.ts";
import { describeWith } from "../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { Stored } from "../../testing/stored.ts";
import { startWebhookSink, type WebhookSink } from "../../testing/webhook-sink.ts";
import { systemClock } from "../clock.ts";
import { Feed } from "../live/feed.ts";
import { silentLogger } from "../observe/logger.ts";
import { openStoreSql } from "../store/postgres.ts";
import { AddressGuard } from "./channels/addresses.ts";
import { writeConfig } from "./config/store.ts";
import { Notifier } from "./notifier.ts";
import { receive } from "./received/store.ts";

describeWith(["postgres", "prometheus-alertmanager"], "an Alertmanager", () => {
  let server: TestPostgres;
  let stored: Awaited<ReturnType<typeof Stored.create>>;
  let sql: Sql;
  let sink: WebhookSink;
  let there: Alertmanager;
  let notifier: Notifier | undefined;
  const changes = new Feed<null>({ entries: 1, bytes: 1 }, 0);
  const history = new AlertHistory();
  const onceDecided = Promise.withResolvers<void>();

  beforeAll(async () => {
    [server, sink] = await Promise.all([startPostgres(), startWebhookSink()]);
    there = await startAlertmanager(tellingAll(sink.url));
    stored = await Stored.create(server.url, "alertmanager");
    sql = stored.sql;
    const text = `
route: { receiver: am, group_by: [alertname], group_wait: 0s, group_interval: 20ms, repeat_interval: 30d }
receivers: [{ name: am, alertmanager_configs: [{ url: '${there.url}' }] }]
`;
    await writeConfig(sql, { after: 0, text, appliedUs: 0, appliedBy: "test" });
    await sql`insert into log_partition (partition) values (0) on conflict do nothing`;
    notifier = start();
    // The cursor begins at the newest event: it is there before the first.
    await onceDecided.promise;
  }, 60_000);
  afterAll(async () => {
    await notifier?.close();
    await there?.stop();
    await sink?.close();
    await stored?.close();
    await server?.stop();
  });

  function start(): Notifier {
    return new Notifier({
      planSql: openStoreSql(stored.url, 1, 60_000, "alertmanager-test"),
      ...{ sql, clock: systemClock, logger: silentLogger(), changes },
      externalUrl: "https://telltale.example/",
      channels: {
        addresses: new AddressGuard(["127.0.0.1"]),
        ...{ environment: {}, clock: systemClock, source: "/telltale" },
      },
      onStep: (step) => step !== undefined && onceDecided.resolve(),
      onAttempt: () => {},
    });
  }

  async function commit(act: () => void): Promise<void> {
    const from = history.events.length;
    act();
    await storeAlerts(sql, history.events.slice(from));
    await storeEvents(sql, history.events.slice(from));
    changes.push(null, 1);
  }

  const known = async () => (await there.alerts()).map(({ labels }) => `${labels.sensor_id} ${labels.severity}`).sort();
  const until = (wanted: readonly string[]) => expect.poll(known).toEqual(wanted);
  const told = (fits: (status: string, labels: Record<string, string>) => boolean) =>
    sink.find(({ body }) => {
      const { status, alerts } = JSON.parse(body.toString());
      return fits(status, alerts[0].labels);
    });

  test("knows each alert by its labels, one after its severity rose, and hears of the end", async () => {
    await commit(() => {
      history.open("press", 0, Severity.MEDIUM);
      history.open("pump", 1, Severity.HIGH);
    });
    await until(["press medium", "pump high"]);
    const [press] = await there.alerts();
    expect(press).toMatchObject({ labels: { alertname: "anomaly_detection", sensor_type: "temperature" } });
    expect(Date.parse(press!.endsAt)).toBeGreaterThan(Date.now() + 180_000);
    await commit(() => history.raise(1, Severity.CRITICAL));
    await until(["press critical", "pump high"]);
    await commit(() => history.close(2, 5));
    await until(["press critical"]);
    // Its own receivers hear of what opened and what ended, and never of a severity that was not there.
    await told((status, labels) => status === "resolved" && labels.sensor_id === "pump");
    await told((status, labels) => status === "resolved" && labels.severity === "medium");
    const severities = sink.posted.flatMap(({ body }) =>
      JSON.parse(body.toString()).alerts.map(({ labels }: { labels: Record<string, string> }) => labels.severity),
    );
    expect(new Set(severities)).toEqual(new Set(["medium", "high", "critical"]));
  });

  test("that has lost its memory is told again of what is open by whoever notifies next, with an end that moves on", async () => {
    await commit(() => history.open("fan", 2));
    // Of another program: its severity is a word of its own, and stays so however often it is sent again.
    const labels = { alertname: "HighLoad", severity: "warning", sensor_id: "host" };
    const nowUs = systemClock.nowUs();
    const times = { startsUs: nowUs, endsUs: nowUs + 3_600_000_000, isTimeout: false };
    await receive(
      sql,
      [{ labels, annotations: {}, generatorUrl: "https://prometheus.example/graph", ...times }],
      nowUs,
    );
    changes.push(null, 1);
    await until(["fan high", "host warning", "press critical"]);
    const before = new Map((await there.alerts()).map(({ labels, endsAt }) => [labels.sensor_id, endsAt]));
    await notifier!.close();
    notifier = undefined;
    const { port } = there;
    await there.stop();
    there = await startAlertmanager(tellingAll(sink.url), port);
    expect(await known()).toEqual([]);
    notifier = start();
    await until(["fan high", "host warning", "press critical"]);
    expect((await there.alerts()).map(({ generatorURL }) => generatorURL).sort()).toEqual([
      "https://prometheus.example/graph",
      ...["https://telltale.example/", "https://telltale.example/"],
    ]);
    for (const { labels, endsAt } of await there.alerts()) {
      expect(Date.parse(endsAt)).toBeGreaterThan(Date.parse(before.get(labels.sensor_id)!));
    }
    // Nothing was queued for it: the log of messages has what is news.
    const [{ n }] = (await sql`select count(*)::int as n from notify_delivery`) as never as [{ n: number }];
    expect(n).toBe(5);
    await commit(() => {
      history.close(1, 9);
      history.close(3, 9);
    });
    await until(["host warning"]);
  });
});
