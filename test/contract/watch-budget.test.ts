/** More is watched than a process makes messages of: ingest goes on, what is left out is declared, and narrow watches come first. */
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import type { WatchReadingsResponse } from "../../gen/es/telltale/v1/watch_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";

const T0 = 1_760_000_000;
const SENSORS = 50;
const EACH = 20;
const BUDGET = 200;

let platform: Platform;
const transport = () => createGrpcTransport({ baseUrl: platform.grpc });
beforeAll(async () => {
  platform = await startPlatform({ WATCH_READINGS_PER_SECOND: String(BUDGET) });
});
afterAll(() => platform?.stop());

const reading = (sensorId: string, second: number) => ({
  ...{ sensorId, sensorType: "temperature", unit: "C", value: 20 },
  observedAt: { seconds: BigInt(T0 + second), nanos: 0 },
});

/** A watch that is in place, and what it is sent until `enough` says so. */
async function watch(request: { sensorId?: string; anomaliesOnly?: boolean }) {
  const stop = new AbortController();
  const responses = createClient(WatchService, transport()).watchReadings(request, { signal: stop.signal });
  const next = responses[Symbol.asyncIterator]();
  await next.next();
  return {
    async until(enough: (seen: readonly WatchReadingsResponse[]) => boolean) {
      const seen: WatchReadingsResponse[] = [];
      while (!enough(seen)) seen.push((await next.next()).value as WatchReadingsResponse);
      return { readings: seen.flatMap(({ readings }) => readings), missed: seen.some(({ missed }) => missed) };
    },
    stop: () => stop.abort(),
  };
}

test("a watch of everything is told what it missed, one of a sensor misses nothing, and every reading is stored", async () => {
  const everything = await watch({});
  const chosen = await watch({ sensorId: "s-7" });
  const sensors = Array.from({ length: SENSORS }, (_, i) => `s-${i}`);
  const readings = Array.from({ length: EACH }, (_, second) => sensors.map((id) => reading(id, second))).flat();
  const { counts } = await createClient(IngestService, transport()).submitReadings({ readings });
  expect(counts?.accepted).toBe(BigInt(SENSORS * EACH));
  const narrow = await chosen.until((seen) => seen.flatMap((r) => r.readings).length >= EACH);
  expect(narrow.missed).toBe(false);
  expect(narrow.readings.map(({ observedAt }) => Number(observedAt!.seconds) - T0)).toEqual(
    Array.from({ length: EACH }, (_, second) => second),
  );
  const wide = await everything.until((seen) => seen.some(({ missed }) => missed));
  expect(wide.readings.length).toBeLessThan(SENSORS * EACH);
  chosen.stop();
  everything.stop();
});

test("a watch of everything is served again when less comes in", async () => {
  const everything = await watch({});
  const ingest = createClient(IngestService, transport());
  const arrived = everything.until((seen) => seen.some((r) => r.readings.length > 0));
  let served = false;
  void arrived.then(() => {
    served = true;
  });
  // One at a time: as soon as the budget of the test before is there again, it comes through.
  for (let second = 100; !served; second++) await ingest.submitReadings({ readings: [reading("quiet", second)] });
  expect((await arrived).readings[0]).toMatchObject({ sensorId: "quiet" });
  everything.stop();
});
