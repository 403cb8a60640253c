import type { Sql } from "postgres";
import { afterEach, expect, test } from "vitest";
import { testLogger } from "../../../testing/logger.ts";
import { describeWith } from "../../../testing/needs.ts";
import { useDatabase } from "../../../testing/use-database.ts";
import { startWebhookSink } from "../../../testing/webhook-sink.ts";
import { manualClock } from "../../clock.ts";
import { transaction } from "../../postgres/transaction.ts";
import { AddressGuard } from "../channels/addresses.ts";
import type { HeartbeatConfig } from "../config/config.ts";
import { MAX_OPEN_RECEIVED_ALERTS } from "../received/limits.ts";
import { openReceived, receive } from "../received/store.ts";
import { Pinger } from "./pinger.ts";
import { readHeartbeats, readPings, takeSign } from "./store.ts";
import { watchHeartbeats } from "./watch.ts";

const HOUR_US = 3_600_000_000;

describeWith(["postgres"], "heartbeats in the store", () => {
  let sql: Sql;
  useDatabase("heartbeats", (database) => {
    sql = database.sql;
  });
  afterEach(() => sql`truncate received_alert, notify_heartbeat, notify_watch`);

  const job = (given: Partial<HeartbeatConfig> = {}): HeartbeatConfig => {
    return { name: "job", intervalMs: 3_600_000, graceMs: 60_000, labels: {}, ...given };
  };
  const step = (...heartbeats: HeartbeatConfig[]) => transaction(sql, (tx) => watchHeartbeats(tx, heartbeats));
  const open = () => openReceived(sql, { nowUs: Date.now() * 1_000, belowId: Number.MAX_SAFE_INTEGER, limit: 100 });
  /** As if it had been so long ago. */
  const age = (us: number) => sql`update notify_heartbeat set last_us = last_us - ${us}, since_us = since_us - ${us}`;
  const away = (us: number) => sql`update notify_watch set seen_us = seen_us - ${us}`;

  test("a program is missing once, until its next sign, and its alert is ended by that", async () => {
    await step(job());
    await takeSign(sql, "job");
    expect(await step(job())).toBe(0);
    await age(2 * HOUR_US);
    await sql`update notify_watch set since_us = since_us - ${3 * HOUR_US}`;
    expect(await step(job())).toBe(1);
    expect(await step(job())).toBe(1);
    expect(await open()).toMatchObject([
      {
        labels: { alertname: "heartbeat_missing", heartbeat: "job", severity: "high" },
        annotations: { summary: "job gives no sign of life" },
      },
    ]);
    expect(await takeSign(sql, "job")).toMatchObject({ wasMissing: true });
    expect(await step(job())).toBe(0);
    expect(await open()).toEqual([]);
    const [{ needs_step: isNews, closed_us: closedUs } = {} as never] = await sql`select * from received_alert`;
    expect([isNews, closedUs > 0]).toEqual([true, true]);
  });

  test("one that was due while nobody was there is not missing, and one that was missing before still is", async () => {
    await step(job());
    await takeSign(sql, "job");
    await age(2 * HOUR_US);
    await away(HOUR_US);
    expect(await step(job())).toBe(0);
    // Half a minute without anybody is a process that starts anew.
    await sql`update notify_watch set since_us = since_us - ${3 * HOUR_US}`;
    await away(20_000_000);
    expect(await step(job())).toBe(1);
    await away(HOUR_US);
    expect(await step(job())).toBe(1);
  });

  test("of other labels it is another alert, and what is expected no more is missing no more", async () => {
    await step(job());
    await age(2 * HOUR_US);
    await sql`update notify_watch set since_us = since_us - ${3 * HOUR_US}`;
    await step(job());
    await step(job({ labels: { severity: "low", asset: "site-1" } }));
    expect((await open()).map(({ labels }) => labels)).toEqual([
      { alertname: "heartbeat_missing", heartbeat: "job", severity: "low", asset: "site-1" },
    ]);
    await step();
    expect(await open()).toEqual([]);
    expect(await readHeartbeats(sql)).toEqual([]);
  });

  test("a ping is sent while messages are, is known to have failed without its address, and is sent again soon", async () => {
    const sink = await startWebhookSink();
    sink.answer((response) => response.writeHead(503).end("no /secret-4711 here"));
    const clock = manualClock(Date.now() * 1_000);
    let sentMs = Number.NEGATIVE_INFINITY;
    const pinger = new Pinger({
      ...{ sql, clock, logger: testLogger, sendsSinceMs: () => sentMs, onPing: () => {} },
      channels: { addresses: new AddressGuard(["127.0.0.1"]), environment: {} },
    });
    const url = { value: `${sink.url}/secret-4711` };
    const pings = [{ name: "watcher", url, method: "POST", timeoutMs: 5_000, intervalMs: 60_000 }] as const;
    const look = () => {
      pinger.look(pings);
      return pinger.idle();
    };
    await look();
    expect(sink.posted).toEqual([]);
    sentMs = clock.monotonicMs();
    await look();
    expect(await readPings(sql)).toMatchObject([
      { name: "watcher", okUs: undefined, reason: "answered 503: no *** here" },
    ]);
    await look();
    expect(sink.posted).toHaveLength(1);
    sink.answer((response) => response.end());
    clock.advanceMs(10_000);
    await look();
    const [taken] = await readPings(sql);
    expect([taken!.okUs! > taken!.failedUs!, taken!.reason]).toEqual([true, ""]);
    // Nothing was sent for half a minute: the next is due, and is left out.
    clock.advanceMs(60_000);
    await look();
    expect(sink.posted).toHaveLength(2);
    // Nothing is left of one that is taken out of the configuration.
    pinger.look([]);
    await pinger.idle();
    expect(await readPings(sql)).toEqual([]);
    await pinger.close();
    await sink.close();
  });

  test("others neither end nor change its alert, and what they have opened with its labels becomes it", async () => {
    const nowUs = Date.now() * 1_000;
    const labels = { alertname: "heartbeat_missing", heartbeat: "job", severity: "high" };
    const sent = {
      labels,
      annotations: { summary: "all is well" },
      generatorUrl: "",
      startsUs: nowUs,
      isTimeout: false,
    };
    const outside = (endsUs: number) =>
      receive(
        sql,
        [
          { ...sent, endsUs },
          { ...sent, labels: { alertname: "x" }, endsUs },
        ],
        nowUs,
      );
    await outside(nowUs + HOUR_US);
    await step(job());
    await age(2 * HOUR_US);
    await sql`update notify_watch set since_us = since_us - ${3 * HOUR_US}`;
    await step(job());
    for (const endsUs of [nowUs + 2 * HOUR_US, nowUs]) expect((await outside(endsUs)).own).toEqual([0]);
    expect(await open()).toMatchObject([{ labels, annotations: { summary: "job gives no sign of life" } }]);
    await takeSign(sql, "job");
    await step(job());
    expect(await open()).toEqual([]);
    expect((await outside(nowUs + HOUR_US)).own).toEqual([]);
  });

  test("there is room for it, however many alerts others have sent", async () => {
    const nowUs = Date.now() * 1_000;
    const times = { startsUs: nowUs, endsUs: nowUs + HOUR_US, isTimeout: false };
    const many = Array.from({ length: MAX_OPEN_RECEIVED_ALERTS }, (_, i) => {
      return { labels: { alertname: `a${i}` }, annotations: {}, generatorUrl: "", ...times };
    });
    expect((await receive(sql, many, nowUs)).tooMany).toEqual([]);
    await step(job());
    await age(2 * HOUR_US);
    await sql`update notify_watch set since_us = since_us - ${3 * HOUR_US}`;
    await step(job());
    expect((await open())[0]!.labels.heartbeat).toBe("job");
  });
});
