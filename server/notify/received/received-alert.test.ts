import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import {
  type Episode,
  FIRST_RECEIVED_ID,
  labelHash,
  type SentAlert,
  send,
  severityOf,
  toKnownAlert,
} from "./received-alert.ts";

const NOW = 1_000_000;

function sent(changes: Partial<SentAlert> = {}): SentAlert {
  const labels = { alertname: "HighTemp" };
  return {
    labels,
    annotations: {},
    generatorUrl: "",
    startsUs: 900_000,
    endsUs: 1_100_000,
    isTimeout: false,
    ...changes,
  };
}

function open(changes: Partial<SentAlert> = {}): Episode {
  return { ...sent(changes), closedUs: undefined };
}

test("one that nobody knew begins an episode, and one that is over already does not", () => {
  expect(send(undefined, sent(), NOW)).toEqual({ before: undefined, begun: open(), isNews: false });
  expect(send(undefined, sent({ endsUs: NOW }), NOW)).toEqual({ before: undefined, begun: undefined, isNews: false });
});

test("one that is sent again only moves its end", () => {
  const { before, begun, isNews } = send(open(), sent({ endsUs: 1_200_000 }), NOW);
  expect({ before, begun, isNews }).toEqual({ before: open({ endsUs: 1_200_000 }), begun: undefined, isNews: false });
});

test("the earliest start and the newest annotations count, and are news", () => {
  const earlier = send(open(), sent({ startsUs: 800_000 }), NOW);
  expect([earlier.before!.startsUs, earlier.isNews]).toEqual([800_000, true]);
  const later = send(open(), sent({ startsUs: 950_000 }), NOW);
  expect([later.before!.startsUs, later.isNews]).toEqual([900_000, false]);
  const changed = send(open(), sent({ annotations: { summary: "hotter" } }), NOW);
  expect([changed.before!.annotations, changed.isNews]).toEqual([{ summary: "hotter" }, true]);
});

test("an end that was sent holds until a later one; one that was assumed gives way", () => {
  const far = 5_000_000;
  expect(send(open({ endsUs: far }), sent(), NOW).before!.endsUs).toBe(far);
  expect(send(open({ endsUs: far, isTimeout: true }), sent(), NOW).before!.endsUs).toBe(1_100_000);
});

test("an end that is past ends the episode at that time, but not one that began after it", () => {
  const over = send(open(), sent({ endsUs: 990_000 }), NOW);
  expect(over).toMatchObject({ before: { closedUs: 990_000 }, begun: undefined, isNews: true });
  expect(send(open(), sent({ startsUs: 700_000, endsUs: 800_000 }), NOW).before!.closedUs).toBeUndefined();
});

test("one whose end has passed is over, whatever is sent then: what fires begins another episode", () => {
  const expired = open({ endsUs: 950_000 });
  const again = send(expired, sent(), NOW);
  expect(again).toMatchObject({ before: { closedUs: 950_000 }, begun: { closedUs: undefined }, isNews: true });
  expect(send(expired, sent({ endsUs: 990_000 }), NOW)).toMatchObject({
    before: { closedUs: 950_000 },
    begun: undefined,
  });
});

test("labels are one alert in whatever order they come, and no other labels are the same", () => {
  expect(labelHash({ a: "1", b: "2" })).toBe(labelHash({ b: "2", a: "1" }));
  const others = [{ a: "1", b: "3" }, { a: "1" }, { a: '1","b', c: "2" }, { ab: "12" }, { a1: "b2" }];
  expect(new Set([{ a: "1", b: "2" }, ...others].map(labelHash)).size).toBe(others.length + 1);
});

test("every alert has one of our severities, so that a message has an order", () => {
  const words = { critical: "critical", page: "critical", Error: "high", WARNING: "medium", info: "low", "": "low" };
  for (const [severity, ours] of Object.entries(words)) expect(severityOf({ severity })).toBe(ours);
  expect(severityOf({})).toBe("low");
});

test("ids are counted from where the migration says, which no id of ours reaches before 2042", () => {
  const sql = readFileSync(new URL("../../postgres/migrations/185_received_alert.sql", import.meta.url), "utf8");
  expect(sql).toContain(`minvalue ${FIRST_RECEIVED_ID} `);
  const ticks = Math.floor(FIRST_RECEIVED_ID / 128);
  expect(new Date(Date.UTC(2025, 0, 1) + (ticks * 8) / 1_000).getUTCFullYear()).toBe(2042);
});

test("notifications see it as an alert of ours, with the place that it names", () => {
  const stored = { id: FIRST_RECEIVED_ID, fingerprint: "", updatedUs: 0, acknowledgedUs: 5, acknowledgedBy: "ann" };
  const known = toKnownAlert({ ...open({ generatorUrl: "http://prometheus/graph" }), ...stored });
  expect(known).toMatchObject({ id: String(FIRST_RECEIVED_ID), status: "firing", isAcknowledged: true });
  expect(known).toMatchObject({ severity: "low", generatorUrl: "http://prometheus/graph" });
  const over = toKnownAlert({ ...open(), closedUs: 7, ...stored });
  expect(over).toMatchObject({ status: "resolved", endsUs: 7 });
});
