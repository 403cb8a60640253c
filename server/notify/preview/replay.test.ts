import { expect, test } from "vitest";
import { Severity } from "../../../gen/es/telltale/v1/reading_pb.ts";
import { AlertHistory } from "../../../testing/alert-events.ts";
import { HOUR_US, MINUTE_US } from "../../lib/time.ts";
import type { NotifyConfig } from "../config/config.ts";
import { parseNotifyConfig } from "../config/parse.ts";
import { knownAlert } from "../labels.ts";
import type { Override } from "../oncall/oncall.ts";
import { countMessages } from "./count.ts";
import type { PastEvent } from "./history.ts";
import { replay } from "./replay.ts";

/** Of `AlertHistory`: minutes are counted from here. */
const BEGIN_US = Date.UTC(2026, 10, 1) * 1_000;

function config(text: string): NotifyConfig {
  const parsed = parseNotifyConfig(text);
  if ("problems" in parsed) throw new Error(JSON.stringify(parsed.problems));
  return parsed.config;
}

/** Events as they would be read, each at a minute. */
function past(history: AlertHistory, minutes: readonly number[]): PastEvent[] {
  return history.events.map((event, i) => ({
    atUs: BEGIN_US + minutes[i]! * MINUTE_US,
    alert: knownAlert(event, undefined),
  }));
}

async function sentOf(events: readonly PastEvent[], text: string, overrides: readonly Override[] = []) {
  const options = { overrides, untilUs: BEGIN_US + 24 * HOUR_US, signal: new AbortController().signal };
  const sent = await replay(events, config(text), options);
  return sent.map(({ atUs, receiver, status }) => `${(atUs - BEGIN_US) / MINUTE_US} ${receiver} ${status}`);
}

const ONE = "receivers: [{ name: ops, webhook_configs: [{ url: 'http://a.test/' }, { url: 'http://b.test/' }] }]";

test("an alert is told after the wait, repeated while it is open, and told to end, once for all channels", async () => {
  const history = new AlertHistory();
  const id = history.open("a", 10);
  history.close(id, 10 + 9 * 60);
  const route = "route: { receiver: ops, group_wait: 30s, group_interval: 5m, repeat_interval: 4h }";
  expect(await sentOf(past(history, [10, 550]), `${route}\n${ONE}`)).toEqual([
    "10.5 ops firing",
    "250.5 ops firing",
    "490.5 ops firing",
    "550.5 ops resolved",
  ]);
});

test("alerts of a group share messages, and inhibited and muted ones make none", async () => {
  const history = new AlertHistory();
  history.open("a", 60, Severity.CRITICAL);
  history.open("b", 61);
  history.open("c", 62);
  const text = `
route:
  receiver: ops
  group_wait: 5m
  group_interval: 5m
  repeat_interval: 30d
  routes: [{ matchers: ['sensor_id="c"'], receiver: day, active_time_intervals: [day] }]
receivers:
  - { name: ops, webhook_configs: [{ url: 'http://a.test/' }] }
  - { name: day, webhook_configs: [{ url: 'http://c.test/' }] }
inhibit_rules: [{ source_matchers: [severity="critical"], target_matchers: ['sensor_id="b"'] }]
time_intervals: [{ name: day, time_intervals: [{ times: [{ start_time: "06:00", end_time: "22:00" }] }] }]
`;
  expect(await sentOf(past(history, [60, 61, 62]), text)).toEqual(["65 ops firing", "362 day firing"]);
});

test("an escalation tells whoever was on call, and a receiver with a limit gets no more", async () => {
  const history = new AlertHistory();
  const ids = ["a", "b", "c", "d"].map((sensor) => history.open(sensor, 10));
  history.acknowledge(ids[3]!);
  const text = `
route: { receiver: ops, group_by: [sensor_id], group_wait: 0s, group_interval: 5m, repeat_interval: 30d, escalation: all }
receivers:
  - { name: ops, webhook_configs: [{ url: 'http://a.test/' }], max_messages_per_minute: 2 }
  - { name: anna, webhook_configs: [{ url: 'http://a.test/' }] }
  - { name: ben, webhook_configs: [{ url: 'http://a.test/' }] }
schedules: [{ name: plant, time_zone: UTC, rotations: [{ receivers: [anna], start: 2026-01-01 00:00, shift: 1w }] }]
escalations: [{ name: all, steps: [{ after: 30m, schedules: [plant] }] }]
`;
  // The second message of the minute tells of three.
  const events = past(history, [10, 10, 10, 10, 11]);
  const told = ["10 ops firing", "10 ops firing"];
  expect(await sentOf(events, text)).toEqual([...told, ...Array(3).fill("40 anna firing")]);
  const times = { startsUs: BEGIN_US, endsUs: BEGIN_US + HOUR_US, createdUs: 0 };
  const ben = { id: "1", schedule: "plant", receiver: "ben", replaces: "", author: "", comment: "", ...times };
  expect((await sentOf(events, text, [ben])).slice(0, 5)).toEqual([...told, ...Array(3).fill("40 ben firing")]);
});

test("messages are counted by day and night of the zone, for all receivers", () => {
  const at = (iso: string, status: "firing" | "resolved" = "firing") => ({
    ...{ atUs: Date.parse(iso) * 1_000, receiver: "ops", status },
  });
  const messages = [
    at("2026-11-01T21:30:00Z"),
    at("2026-11-02T04:59:00Z"),
    at("2026-11-02T05:01:00Z"),
    at("2026-11-02T12:00:00Z", "resolved"),
  ];
  const both = config(`route: { receiver: none }\n${ONE.replace(/\]$/, ", { name: none }]")}`);
  expect(countMessages(messages, both, "Europe/Berlin")).toEqual([
    {
      ...{ receiver: "ops", channels: 2, messages: 4, resolved: 1, atNight: 2 },
      ...{ busiestDay: "2026-11-02", busiestDayMessages: 3 },
    },
    { receiver: "none", channels: 0, messages: 0, resolved: 0, atNight: 0, busiestDay: "", busiestDayMessages: 0 },
  ]);
  expect(countMessages(messages, both, "Asia/Tokyo")[0]).toMatchObject({ atNight: 0, busiestDayMessages: 4 });
});
