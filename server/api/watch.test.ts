import { create, toBinary } from "@bufbuild/protobuf";
import { createContextValues, type HandlerContext } from "@connectrpc/connect";
import { afterEach, expect, test, vi } from "vitest";
import { LiveReadingsNoticeSchema } from "../../gen/es/telltale/v1/notice_pb.ts";
import { ScoredReadingSchema } from "../../gen/es/telltale/v1/reading_pb.ts";
import { WatchReadingsRequestSchema, type WatchReadingsResponse } from "../../gen/es/telltale/v1/watch_pb.ts";
import { EncodedReadings } from "../live/encoded-readings.ts";
import { Feed } from "../live/feed.ts";
import { createMetrics } from "../observe/metrics.ts";
import { anonymous } from "../security/principal.ts";
import { Names } from "../store/names.ts";
import { peerKey, principalKey } from "./principal.ts";
import { createWatchService, type WatchOptions } from "./watch.ts";
import { WatchShares } from "./watch-shares.ts";

const PLACES = 2_000;
const request = create(WatchReadingsRequestSchema, { sensorId: "a" });

test("one address takes half of the watches, other addresses and tokens find room, and places come back", async () => {
  const watch = watches();
  const open: AsyncIterator<WatchReadingsResponse>[] = [];
  for (let i = 0; i < PLACES / 2; i++) {
    const one = watch(i % 2 === 0 ? "192.0.2.1" : "::ffff:192.0.2.1");
    await one.next();
    open.push(one);
  }
  await expect(watch("192.0.2.1").next()).rejects.toMatchObject({ kind: "exhausted" });
  await expect(watch("192.0.2.1").next()).rejects.toThrow("you have 1000 of 1000 watches");
  expect((await watch("192.0.2.2").next()).done).toBe(false);
  // A token counts by itself, whatever address it comes from.
  expect((await watch("192.0.2.1", "token-1").next()).done).toBe(false);
  for (const one of open) await one.return?.();
  expect((await watch("192.0.2.1").next()).done).toBe(false);
});

afterEach(() => void vi.useRealTimers());

test("a watch shows that it lives, and where it is, also where all that comes is of other sensors", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const readings = new Feed<EncodedReadings>({ entries: 10, bytes: 100_000 }, 1);
  const one = watches({ readings })("192.0.2.1");
  expect((await one.next()).value).toMatchObject({ readings: [], resumeToken: "1" });
  const sign = one.next();
  for (let second = 0; second < 20; second++) {
    readings.push(commitOf("other"), 100);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect((await sign).value).toMatchObject({ readings: [], missed: false, resumeToken: "16" });
});

test("a token of some sensors learns nothing of another's: not that there are readings, nor that they could not be sent", async () => {
  const readings = new Feed<EncodedReadings>({ entries: 10, bytes: 100_000 }, 1);
  const interested = vi.fn(async () => {});
  const one = watches({ readings, interested })("192.0.2.1", "token-1", "mine/");
  expect((await one.next()).value).toMatchObject({ readings: [], missed: false });
  let answered = false;
  void one.next().then(() => {
    answered = true;
  });
  readings.push(commitOf("a"), 100);
  readings.push(new EncodedReadings(new Uint8Array(), { ofSensors: 5, ofSelections: 0, ofEverything: 0 }), 100);
  readings.gap();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(answered).toBe(false);
  expect(interested).not.toHaveBeenCalled();
});

function commitOf(sensorId: string): EncodedReadings {
  const notice = create(LiveReadingsNoticeSchema, { readings: [create(ScoredReadingSchema, { sensorId })] });
  return new EncodedReadings(toBinary(LiveReadingsNoticeSchema, notice));
}

function watches(changed: Partial<WatchOptions> = {}) {
  const metrics = createMetrics();
  const service = createWatchService({
    queries: {} as WatchOptions["queries"],
    names: { current: Names.NONE },
    metrics,
    shares: new WatchShares(metrics),
    readings: new Feed({ entries: 10, bytes: 1_000 }, 1),
    alertsChanged: new Feed({ entries: 1, bytes: 1 }, 0),
    readingsPerSecond: 20_000,
    interested: async () => {},
    ...changed,
  });
  return (address: string, tokenId?: string, sensorPrefix = "") => {
    const values = createContextValues();
    values.set(peerKey, { address, certificateName: undefined });
    values.set(
      principalKey,
      tokenId === undefined ? anonymous : { ...anonymous, name: "token:t", tokenId, sensorPrefix },
    );
    const context = { signal: new AbortController().signal, values } as HandlerContext;
    const responses = service.watchReadings(request, context) as AsyncIterable<WatchReadingsResponse>;
    return responses[Symbol.asyncIterator]();
  };
}
