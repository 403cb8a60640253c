/**
 * Notifications beside a real Prometheus and Debian's Alertmanager, on the same machine in the same run: from an alert, and from a reading, to
 * the message, and ten thousand alerts within a minute. It takes some three minutes, and says on stderr where it is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { startAlertmanager } from "../testing/alertmanager.ts";
import { startPlatform } from "../testing/platform.ts";
import { missing } from "../testing/programs.ts";
import { startPrometheus } from "../testing/prometheus.ts";
import { type Posted, startWebhookSink } from "../testing/webhook-sink.ts";
import { quantile } from "./load.ts";
import { applyText } from "./notify.ts";
import type { StorageRow } from "./storage-queries.ts";

/** Alerts of a group: as many as a message of ours names. */
const OF_A_GROUP = 100;
/** Calls a second of whoever sends them. */
const CALLS = 4;
/** Alerts one by one, this far apart: no multiple of Prometheus' intervals. */
const PAUSE_MS = 113;
/** Of a storm: 10,000 of them are a minute. */
const ALERTS_PER_SECOND = 10_000 / 60;
/** What is not told when no message has come for so long is lost: until then it is late. */
const QUIET_MS = 60_000;
/** Of timers that lose a race: the process ends without them, and the receiver's server holds it for as long as somebody waits. */
const UNHELD = { ref: false };
/** Ends come so many times as fast. */
const ENDS_FASTER = 3;

interface Told {
  readonly status: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A receiver that notes which alerts it heard of when. */
async function startReceiver() {
  const sink = await startWebhookSink();
  const heard = new Map<string, number>();
  let messages = 0;
  let arrived = Promise.withResolvers<void>();
  sink.answer((response, { body }: Posted) => {
    messages++;
    for (const { status, labels } of (JSON.parse(String(body)) as { alerts: Told[] }).alerts) {
      const what = `${status} ${labels.boiler ?? labels.event}`;
      if (!heard.has(what)) heard.set(what, performance.now());
    }
    response.end();
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  return {
    url: sink.url,
    heard,
    get messages() {
      return messages;
    },
    async until(fits: () => boolean, withinMs: number): Promise<boolean> {
      const late = sleep(withinMs, "late" as const, UNHELD);
      while (!fits()) if ((await Promise.race([arrived.promise, late])) === "late") return fits();
      return true;
    },
    /** For as long as messages come. */
    async untilQuiet(fits: () => boolean): Promise<void> {
      for (let before = -1; !fits() && messages > before; ) {
        before = messages;
        const enough = sleep(QUIET_MS, "quiet" as const, UNHELD);
        while (!fits() && (await Promise.race([arrived.promise, enough])) !== "quiet");
      }
    },
    close: () => sink.close(),
  };
}

type Receiver = Awaited<ReturnType<typeof startReceiver>>;

export const BESIDE_NEEDS: readonly string[] = ["prometheus", "prometheus-alertmanager"];

/** What takes alerts as an Alertmanager does. */
interface Notifier {
  readonly name: string;
  readonly url: string;
  readonly receiver: Receiver;
}

/** @param single alerts whose delay is measured one by one; @param storm alerts that come at 10,000 a minute. None where the programs are missing. */
export async function besideRows(single: number, storm: number): Promise<StorageRow[]> {
  if (missing(BESIDE_NEEDS) !== undefined) return [];
  const [ownReceiver, theirReceiver] = await Promise.all([startReceiver(), startReceiver()]);
  const platform = await startPlatform({ NOTIFY_ALLOWED_HOSTS: "127.0.0.1" });
  await applyText(platform.grpc, fileOf(ownReceiver.url));
  const alertmanager = await startAlertmanager(fileOf(theirReceiver.url));
  const prometheus = await startPrometheus(alertmanager.url);
  try {
    const own = { name: "platform", url: platform.http, receiver: ownReceiver };
    const theirs = { name: "Alertmanager", url: alertmanager.url, receiver: theirReceiver };
    // In turns, so that both have the same machine.
    const delays = { own: [] as number[], theirs: [] as number[] };
    for (let i = 0; i < single; i++) {
      delays.own.push(await delayOf(own, `single-${i}`));
      delays.theirs.push(await delayOf(theirs, `single-${i}`));
    }
    progress(`${2 * single} alerts one by one`);
    // They would leave no room for as many as may be open.
    const over = Array.from({ length: single }, (_, i) => alertOf(`single-${i}`, `single-${i}`, 0));
    await Promise.all([send(own, over), send(theirs, over)]);
    const chain = await readingDelays(prometheus, theirReceiver, single);
    progress(`${single} readings by Prometheus and Alertmanager; now ${storm} alerts to both`);
    // Side by side: one after the other takes twice as long, and has two machines where others work on it.
    const [ours, other] = await Promise.all([stormOf(own, storm), stormOf(theirs, storm)]);
    return [
      {
        name: "alert_to_message_p99_ms",
        value: at(delays.own, 0.99),
        unit: "ms",
        beside: {
          ...{ messages: single, p50_ms: at(delays.own, 0.5) },
          ...{ alertmanager_p50_ms: at(delays.theirs, 0.5), alertmanager_p99_ms: at(delays.theirs, 0.99) },
        },
      },
      {
        name: "prometheus_reading_to_message_p99_ms",
        value: at(chain, 0.99),
        unit: "ms",
        beside: { messages: single, p50_ms: at(chain, 0.5), scrape_and_evaluation_interval_ms: 200 },
      },
      {
        name: "minute_storm_lost",
        value: ours.lost,
        unit: "beginnings and ends",
        beside: {
          ...{ alerts: storm, messages: ours.messages, told_after_ms: ours.afterMs },
          ...{ alertmanager_lost: other.lost, alertmanager_messages: other.messages },
          alertmanager_told_after_ms: other.afterMs,
        },
      },
    ];
  } finally {
    await Promise.all([prometheus.stop(), alertmanager.stop(), platform.stop()]);
    await Promise.all([ownReceiver.close(), theirReceiver.close()]);
  }
}

function progress(text: string): void {
  process.stderr.write(`notify: ${text}\n`);
}

function fileOf(url: string): string {
  return `route: { receiver: all, group_by: [group, boiler], group_wait: 0s, group_interval: 5s, repeat_interval: 1d }
receivers: [{ name: all, webhook_configs: [{ url: "${url}" }] }]
`;
}

async function send({ url }: Notifier, alerts: readonly object[]): Promise<void> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${url}/api/v2/alerts`, { method: "POST", headers, body: JSON.stringify(alerts) });
  if (!response.ok) throw new Error(`alerts were answered ${response.status}: ${await response.text()}`);
}

function alertOf(event: string, group: string, endsInMs: number) {
  return { labels: { alertname: "bench", event, group }, endsAt: new Date(Date.now() + endsInMs).toISOString() };
}

async function delayOf(notifier: Notifier, event: string): Promise<number> {
  await sleep(PAUSE_MS);
  const startedMs = performance.now();
  await send(notifier, [alertOf(event, event, 600_000)]);
  const { heard, until } = notifier.receiver;
  if (!(await until(() => heard.has(`firing ${event}`), 60_000))) throw new Error(`${event} was not told`);
  return heard.get(`firing ${event}`)! - startedMs;
}

async function readingDelays(
  prometheus: Awaited<ReturnType<typeof startPrometheus>>,
  { heard, until }: Receiver,
  count: number,
): Promise<number[]> {
  const boilers = Array.from({ length: count }, (_, i) => `boiler-${i}`);
  const shownMs = new Map<string, number>();
  for (const boiler of boilers) {
    await sleep(PAUSE_MS);
    shownMs.set(boiler, performance.now());
    prometheus.show(100, boiler);
  }
  const all = () => boilers.every((boiler) => heard.has(`firing ${boiler}`));
  if (!(await until(all, 60_000))) throw new Error("Prometheus' alerts were not all told");
  return boilers.map((boiler) => heard.get(`firing ${boiler}`)! - shownMs.get(boiler)!);
}

/** Alerts that begin, and then end, at a steady rate. */
async function stormOf(notifier: Notifier, count: number) {
  const { receiver } = notifier;
  const before = receiver.messages;
  const events = Array.from({ length: count }, (_, i) => ({
    event: `storm-${i}`,
    group: `g${i % (count / OF_A_GROUP)}`,
  }));
  const isTold = (status: string) => events.every(({ event }) => receiver.heard.has(`${status} ${event}`));
  const afterMs: number[] = [];
  for (const { status, endsInMs, perSecond } of [
    { status: "firing", endsInMs: 3_600_000, perSecond: ALERTS_PER_SECOND },
    { status: "resolved", endsInMs: 0, perSecond: ALERTS_PER_SECOND * ENDS_FASTER },
  ]) {
    const portion = Math.ceil(perSecond / CALLS);
    for (let i = 0, dueMs = performance.now(); i < count; i += portion, dueMs += 1_000 / CALLS) {
      await sleep(Math.max(0, dueMs - performance.now()));
      await send(
        notifier,
        events.slice(i, i + portion).map(({ event, group }) => alertOf(event, group, endsInMs)),
      );
    }
    const sentMs = performance.now();
    // What ends before its beginning was told is told by neither.
    await receiver.untilQuiet(() => isTold(status));
    afterMs.push(Math.round(performance.now() - sentMs));
    const told = events.filter(({ event }) => receiver.heard.has(`${status} ${event}`)).length;
    progress(`${notifier.name}: ${status} ${told} of ${count} told by ${receiver.messages - before} messages`);
  }
  const lost = ["firing", "resolved"].flatMap((status) =>
    events.filter(({ event }) => !receiver.heard.has(`${status} ${event}`)),
  );
  return { lost: lost.length, messages: receiver.messages - before, afterMs: Math.max(...afterMs) };
}

function at(delays: readonly number[], q: number): number {
  return (
    Math.round(
      quantile(
        [...delays].sort((a, b) => a - b),
        q,
      ) * 10,
    ) / 10
  );
}
