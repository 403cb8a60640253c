/** Channels that fail in any order, while the process that notifies is ended again and again. */
import type { Sql } from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AlertHistory, storeAlerts, storeEvents } from "../../../testing/alert-events.ts";
import { describeWith } from "../../../testing/needs.ts";
import { startPostgres, type TestPostgres } from "../../../testing/postgres.ts";
import { Random } from "../../../testing/random.ts";
import { Stored } from "../../../testing/stored.ts";
import { startWebhookSink, type WebhookSink } from "../../../testing/webhook-sink.ts";
import { systemClock } from "../../clock.ts";
import { Feed } from "../../live/feed.ts";
import { silentLogger } from "../../observe/logger.ts";
import { openStoreSql } from "../../store/postgres.ts";
import { AddressGuard } from "../channels/addresses.ts";
import { ConfigInForce } from "../config/in-force.ts";
import { writeConfig } from "../config/store.ts";
import { Notifier } from "../notifier.ts";
import { FAILED, SENT } from "./store.ts";
import { testMessage } from "./test-message.ts";
import { sendTest } from "./trial.ts";

const ALERTS = 60;

interface Told {
  readonly status: string;
  readonly alerts: readonly { readonly labels: Readonly<Record<string, string>> }[];
}

/** A delivery row, as far as the promises go. */
interface Row {
  readonly id: number;
  readonly receiver: string;
  readonly state: number;
  readonly fallback_to: string;
  readonly fallback_of: number | null;
  readonly message: { readonly alerts: readonly { readonly id: string; readonly status: string }[] };
}

describeWith(["postgres"], "fallbacks", () => {
  let server: TestPostgres;
  let stored: Awaited<ReturnType<typeof Stored.create>>;
  let sql: Sql;
  let sink: WebhookSink;
  let notifier: Notifier | undefined;
  let decided = Promise.withResolvers<void>();
  const history = new AlertHistory();
  const changes = new Feed<null>({ entries: 1, bytes: 1 }, 0);

  beforeAll(async () => {
    [server, sink] = await Promise.all([startPostgres(), startWebhookSink()]);
    stored = await Stored.create(server.url, "fallback");
    sql = stored.sql;
    const receiver = (name: string, more: string) =>
      `  - { name: ${name}, webhook_configs: [{ url: '${sink.url}/${name}' }]${more} }`;
    const text = `
route:
  receiver: a
  group_by: [sensor_id]
  group_wait: 0s
  group_interval: 20ms
  routes:
    - { matchers: [alertname="channel_broken"], receiver: watch, group_by: [receiver] }
receivers:
${receiver("a", ", fallback: b, give_up_after: 300ms")}
${receiver("b", ", fallback: c, give_up_after: 300ms")}
${receiver("c", "")}
${receiver("watch", "")}
`;
    await writeConfig(sql, { after: 0, text, appliedUs: 0, appliedBy: "test" });
    await sql`insert into log_partition (partition) values (0) on conflict do nothing`;
    start();
    await decided.promise;
  }, 60_000);
  afterAll(async () => {
    await notifier?.close();
    await sink?.close();
    await stored?.close();
    await server?.stop();
  });

  function start(): void {
    decided = Promise.withResolvers();
    notifier = new Notifier({
      planSql: openStoreSql(stored.url, 1, 60_000, "fallback-test"),
      ...{ sql, clock: systemClock, logger: silentLogger(), changes, externalUrl: "" },
      channels: {
        addresses: new AddressGuard(["127.0.0.1"]),
        ...{ environment: {}, clock: systemClock, source: "/telltale" },
      },
      onStep: (step) => step !== undefined && decided.resolve(),
      onAttempt: () => {},
    });
  }

  test("each alert is told to somebody, its end to whoever heard of it, and each message once to one instead", async () => {
    const seed = Number(process.env.TELLTALE_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`TELLTALE_SEED=${seed} repeats these failures\n`);
    const random = new Random(seed);
    sink.answer((response, { path }) => {
      const chance = path === "/a" || path === "/b" ? random.next() : 1;
      if (chance < 0.3) return void response.writeHead(400).end("no");
      if (chance < 0.5) return void response.writeHead(503).end();
      response.end();
    });
    const open: number[] = [];
    for (let alert = 0; alert < ALERTS; alert++) {
      await commit(() => {
        open.push(history.open(`s${alert}`, alert));
        if (random.next() < 0.4) history.close(open.splice(random.between(0, open.length - 1), 1)[0]!, alert + 1);
      });
      if (random.next() < 0.1) {
        await notifier!.close();
        start();
        await decided.promise;
      }
    }
    await expect.poll(queued).toBe(0);
    await commit(() => {
      for (const id of open) history.close(id, ALERTS);
    });
    const left = async () => (await sql`select count(*)::int as n from notify_alert where alert_id > 0`)[0]!.n;
    await expect.poll(left).toBe(0);
    await expect.poll(queued).toBe(0);
    check((await sql`select * from notify_delivery order by id`) as never, `TELLTALE_SEED=${seed}`);
  }, 120_000);

  test("a channel that does not deliver is an alert, which is over when it delivers again", async () => {
    // Whole, whatever failures before have left.
    sink.answer((response) => response.end());
    const whole = next("/a", isOf("whole"));
    await commit(() => history.open("whole", ALERTS + 1));
    await whole;
    await expect.poll(async () => (await sql`select 1 from notify_broken where receiver = 'a'`).length).toBe(0);
    sink.answer((response, { path }) => response.writeHead(path === "/a" ? 410 : 200).end("gone"));
    const broken = next("/watch", (body) => body.status === "firing" && isOf("a")(body));
    const instead = next("/b", isOf("refused"));
    await commit(() => history.open("refused", ALERTS + 2));
    expect(JSON.parse(String((await broken).body)).alerts[0]).toMatchObject({
      labels: { alertname: "channel_broken", severity: "high", receiver: "a", channel: "webhook" },
      annotations: { summary: "Messages to a by webhook are not delivered", description: "answered 410: gone" },
    });
    expect(JSON.parse(String((await instead).body))).toMatchObject({
      receiver: "b",
      fallback: { receiver: "a", channel: "webhook", reason: "answered 410: gone" },
    });
    const over = next("/watch", (body) => body.status === "resolved" && isOf("a")(body));
    sink.answer((response) => response.end());
    await commit(() => history.open("again", ALERTS + 3));
    await over;
  });

  test("a test is sent at once, also where the clock of the process that asks is ahead", async () => {
    const ahead = { ...systemClock, nowUs: () => systemClock.nowUs() + 3_600_000_000 };
    const { config } = await new ConfigInForce().readable(sql);
    const { channels } = config.receivers.find(({ name }) => name === "c")!;
    const { signal } = new AbortController();
    const trials = await sendTest(
      sql,
      { message: testMessage("c", ahead.nowUs()), channels },
      { clock: ahead, signal },
    );
    expect(trials).toEqual([{ channel: 0, kind: "webhook", delivered: true, reason: "" }]);
  });

  test("a storm to a receiver with a limit comes in so many messages, the last of which tells of all the others", async () => {
    const text = `
route: { receiver: few, group_by: [sensor_id], group_wait: 0s }
receivers: [{ name: few, webhook_configs: [{ url: '${sink.url}/few' }], max_messages_per_minute: 10 }]
`;
    await writeConfig(sql, { after: 1, text, appliedUs: systemClock.nowUs(), appliedBy: "test" });
    await expect.poll(async () => (await sql`select 1 from notify_group where receiver <> 'few'`).length).toBe(0);
    // What is open of the tests before, and what opens now, at once.
    await commit(() => {
      for (let alert = 0; alert < 50; alert++) history.open(`storm${alert}`, 2 * ALERTS);
    });
    const storm = () =>
      sink.posted
        .filter(({ path }) => path === "/few")
        .map(({ body }) => (JSON.parse(String(body)) as Told).alerts.map(({ labels }) => labels.sensor_id ?? ""));
    const names = () =>
      new Set(
        storm()
          .flat()
          .filter((name) => name.startsWith("storm")),
      ).size;
    await expect.poll(names).toBe(50);
    expect(storm().length).toBeLessThanOrEqual(10);
  });

  test("whoever heard instead of a receiver that is notified of no ends hears them, also of what ended before it heard", async () => {
    const receiver = (name: string, more: string) =>
      `{ name: ${name}, webhook_configs: [{ url: '${sink.url}/${name}', send_resolved: ${name !== "quiet"} }]${more} }`;
    const text = `
route: { receiver: quiet, group_by: [sensor_id], group_wait: 0s, group_interval: 20ms }
receivers: [${receiver("quiet", ", fallback: loud")}, ${receiver("loud", "")}]
`;
    await writeConfig(sql, { after: 2, text, appliedUs: systemClock.nowUs(), appliedBy: "test" });
    await expect.poll(async () => (await sql`select 1 from notify_group where receiver = 'few'`).length).toBe(0);
    const answered = Promise.withResolvers<void>();
    sink.answer((response, { path, body }) => {
      const waits = String(body).includes("early") ? answered.promise : Promise.resolve();
      void waits.then(() => response.writeHead(path === "/quiet" ? 400 : 200).end());
    });
    const is = (name: string, status: string) => (body: Told) => body.status === status && isOf(name)(body);
    const opened = next("/loud", is("late", "firing"));
    const over = next("/loud", is("late", "resolved"));
    let id = 0;
    await commit(() => {
      id = history.open("late", 3 * ALERTS);
    });
    await opened;
    await commit(() => history.close(id, 3 * ALERTS + 1));
    await over;

    const asked = next("/quiet", is("early", "firing"));
    const heard = [next("/loud", is("early", "firing")), next("/loud", is("early", "resolved"))];
    await commit(() => {
      id = history.open("early", 3 * ALERTS + 2);
    });
    await asked;
    await commit(() => history.close(id, 3 * ALERTS + 3));
    await expect.poll(async () => (await sql`select 1 from notify_alert where alert_id = ${id}`).length).toBe(0);
    answered.resolve();
    await Promise.all(heard);
    await expect.poll(queued).toBe(0);
    const told = sink.posted.filter(({ path, body }) => path !== "/few" && /late|early/.test(String(body)));
    expect(told.map(({ path, body }) => `${path} ${(JSON.parse(String(body)) as Told).status}`)).toEqual([
      ...["/quiet firing", "/loud firing", "/loud resolved"],
      ...["/quiet firing", "/loud firing", "/loud resolved"],
    ]);
  });

  /** What is posted there from now on. */
  function next(path: string, fits: (body: Told) => boolean) {
    const from = sink.posted.length;
    return sink.find(
      (posted) => posted.path === path && sink.posted.indexOf(posted) >= from && fits(JSON.parse(String(posted.body))),
    );
  }

  function isOf(name: string) {
    return (body: Told) => body.alerts.some(({ labels }) => Object.values(labels).includes(name));
  }

  async function commit(act: () => void): Promise<void> {
    const from = history.events.length;
    act();
    await storeAlerts(sql, history.events.slice(from));
    await storeEvents(sql, history.events.slice(from));
    changes.push(null, 1);
  }

  async function queued(): Promise<number> {
    const [row] = await sql`select count(*)::int as n from notify_delivery where state = 1`;
    return row!.n;
  }

  function check(rows: readonly Row[], seed: string): void {
    const failed = rows.filter(({ state }) => state === FAILED);
    expect(failed.length, seed).toBeGreaterThan(0);
    const instead = Map.groupBy(rows, ({ fallback_of: of }) => of);
    for (const { id, receiver, fallback_to: to } of failed) {
      // Those of c and of the watch have nobody else, and never fail.
      expect(to, seed).toBe({ a: "b", b: "c" }[receiver]);
      expect(
        instead.get(id)?.map((each) => each.receiver),
        seed,
      ).toEqual([to]);
    }
    // Whoever took that an alert is open took that it is over, or was given up on, and then another did.
    const byAlert = (status: string, states: readonly number[]) =>
      rows.flatMap((row) =>
        row.message.alerts
          .filter((alert) => alert.status === status && states.includes(row.state) && !alert.id.startsWith("-"))
          .map((alert) => ({ alert: alert.id, receiver: row.receiver })),
      );
    const names = (all: readonly { alert: string; receiver: string }[]) =>
      new Set(all.map(({ alert, receiver }) => `${alert} ${receiver}`));
    const heard = byAlert("firing", [SENT]);
    const ended = names(byAlert("resolved", [SENT, FAILED]));
    expect(
      [...names(heard)].filter((name) => !ended.has(name)),
      seed,
    ).toEqual([]);
    const planned = new Set(byAlert("firing", [SENT, FAILED]).map(({ alert }) => alert));
    expect(new Set(heard.map(({ alert }) => alert)), seed).toEqual(planned);
    const told = new Set(byAlert("resolved", [SENT]).map(({ alert }) => alert));
    expect(
      [...planned].filter((alert) => !told.has(alert)),
      seed,
    ).toEqual([]);
  }
});
