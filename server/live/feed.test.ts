import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { Feed } from "./feed.ts";

const feedOf = () => new Feed<number>({ entries: 10, bytes: 1_000 }, 100);

test("a wait ends as soon as something comes, and at once where it has come already", async () => {
  const feed = feedOf();
  const { signal } = new AbortController();
  const waiting = feed.changed(feed.next, 60_000, signal);
  feed.push(1, 1);
  expect(await waiting).toBe(true);
  expect(await feed.changed(100, 60_000, signal)).toBe(true);
  expect(await feed.changed(feed.next, 1, signal)).toBe(false);
});

test("waits that time out or are given up leave nothing behind, in the feed or on the signal", async () => {
  const feed = feedOf();
  const watch = new AbortController();
  await Promise.all(Array.from({ length: 500 }, () => feed.changed(feed.next, 1, watch.signal)));
  const givenUp = Array.from({ length: 500 }, () => feed.changed(feed.next, 60_000, watch.signal));
  expect(feed.waiting).toBe(500);
  watch.abort(new Error("gone"));
  expect((await Promise.allSettled(givenUp)).every(({ status }) => status === "rejected")).toBe(true);
  expect(feed.waiting).toBe(0);
  expect(getEventListeners(watch.signal, "abort")).toHaveLength(0);
});

test("whoever waits again while it is woken is not woken by the same change", async () => {
  const feed = feedOf();
  const { signal } = new AbortController();
  const again = feed.changed(feed.next, 60_000, signal).then(() => feed.changed(feed.next, 1, signal));
  feed.push(1, 1);
  expect(await again).toBe(false);
});

test("a reader that lags takes what there is in pieces, and hears once of what is gone", () => {
  const feed = feedOf();
  for (let i = 0; i < 15; i++) feed.push(i, 10);
  const first = feed.read(100, 25);
  expect(first).toEqual({ items: [5, 6], next: 107, missed: true });
  const second = feed.read(first.next, 5);
  expect(second).toEqual({ items: [7], next: 108, missed: false });
  expect(feed.read(second.next, 1_000)).toEqual({ items: [8, 9, 10, 11, 12, 13, 14], next: 115, missed: false });
  expect(feed.read(115, 1_000)).toEqual({ items: [], next: 115, missed: false });
  expect(feed.read(999, 10)).toEqual({ items: [5], next: 106, missed: true });
  feed.gap();
  expect(feed.read(115, 1_000)).toEqual({ items: [], next: 116, missed: true });
});
