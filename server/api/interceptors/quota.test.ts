import { createClient, createRouterTransport } from "@connectrpc/connect";
import { status } from "@grpc/grpc-js";
import { describe, expect, it } from "vitest";
import { RetryInfoSchema } from "../../../gen/es/google/rpc/error_details_pb.ts";
import type { Scope } from "../../../gen/es/telltale/v1/admin_pb.ts";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../../gen/es/telltale/v1/query_pb.ts";
import { manualClock } from "../../clock.ts";
import { silentLogger } from "../../observe/logger.ts";
import { Quota } from "../../security/quota.ts";
import { createLocalUsage } from "../../security/usage-local.ts";
import { errorInterceptor } from "../errors.ts";
import { principalKey } from "../principal.ts";
import { quotaInterceptor } from "./quota.ts";

const none = { callsPerSecond: 0, readingsPerSecond: 0, streams: 0, sensors: 0 };

function setUp(limits: Partial<typeof none>) {
  const clock = manualClock(1_000_000_000);
  const quota = quotaInterceptor(new Quota({ ...none, ...limits }, createLocalUsage(clock), clock));
  let caller = "ann";
  const who: typeof quota = (next) => (request) => {
    request.contextValues.set(principalKey, { name: caller, scopes: new Set<Scope>(), sensorPrefix: "" });
    return next(request);
  };
  const transport = createRouterTransport(
    (router) => {
      router.service(QueryService, { listReadings: () => ({}) });
      router.service(IngestService, {
        submitReadings: () => ({}),
        async *streamReadings(requests) {
          for await (const { sequence } of requests) yield { durableSequence: sequence };
        },
      });
    },
    { router: { interceptors: [errorInterceptor(silentLogger()), who, quota] } },
  );
  return {
    clock,
    query: createClient(QueryService, transport),
    ingest: createClient(IngestService, transport),
    become: (name: string) => {
      caller = name;
    },
  };
}

const reading = (sensorId: string) => ({ sensorId, sensorType: "t", unit: "u", value: 1 });

describe("a quota", () => {
  it("of calls is refused with the time to wait, for that caller alone and that second alone", async () => {
    const { clock, query, become } = setUp({ callsPerSecond: 2 });
    clock.advanceMs(400);
    await query.listReadings({});
    await query.listReadings({});
    const error = await query.listReadings({}).catch((reason) => reason);
    expect(error).toMatchObject({ code: status.RESOURCE_EXHAUSTED, rawMessage: "Over the limit of 2 calls a second" });
    expect(error.findDetails(RetryInfoSchema)[0].retryDelay).toMatchObject({ seconds: 0n, nanos: 600_000_000 });
    expect(error.metadata.get("retry-after")).toBe("1");
    become("bob");
    await query.listReadings({});
    become("ann");
    clock.advanceMs(600);
    await query.listReadings({});
  });

  it("counts a question by the rows it may bring, says so, and lets one that alone is too much through", async () => {
    const { clock, query } = setUp({ callsPerSecond: 3 });
    await query.listReadings({ limit: 200 });
    await expect(query.listReadings({ limit: 200 })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      rawMessage: "Over the limit of 3 calls a second: this one counts as 2, by the rows it may bring",
    });
    clock.advanceMs(1_000);
    await query.listReadings({ limit: 1_000 });
    await expect(query.listReadings({ limit: 1 })).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("of readings refuses a unary call, and counts columns by their points", async () => {
    const { ingest } = setUp({ readingsPerSecond: 3 });
    await ingest.submitReadings({ readings: [reading("a"), reading("b")] });
    const block = { sensorId: "a", sensorType: "t", unit: "u", timeDeltasUs: [1, 2], values: [1, 2] };
    await expect(ingest.submitReadings({ blocks: [block] })).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
  });

  it("of sensors lets those already known go on", async () => {
    const { ingest } = setUp({ sensors: 1 });
    await ingest.submitReadings({ readings: [reading("a")] });
    await expect(ingest.submitReadings({ readings: [reading("b")] })).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      rawMessage: "Over the limit of 1 sensors",
    });
    await ingest.submitReadings({ readings: [reading("a")] });
  });

  it("of streams is given back when a stream ends", async () => {
    const { ingest } = setUp({ streams: 1 });
    const ended = Promise.withResolvers<void>();
    async function* held() {
      yield { producer: "p", sequence: 1n };
      await ended.promise;
    }
    const first = ingest.streamReadings(held())[Symbol.asyncIterator]();
    await first.next();
    async function* short() {
      yield { producer: "p", sequence: 1n };
    }
    const again = () => ingest.streamReadings(short())[Symbol.asyncIterator]().next();
    await expect(again()).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    ended.resolve();
    expect((await first.next()).done).toBe(true);
    expect((await again()).done).toBe(false);
  });

  it("of readings slows a stream and loses nothing of it", async () => {
    const { ingest } = setUp({ readingsPerSecond: 10 });
    async function* batches() {
      for (const sequence of [1n, 2n]) yield { producer: "p", sequence, readings: Array(7).fill(reading("a")) };
    }
    const started = performance.now();
    const answered: bigint[] = [];
    for await (const { durableSequence } of ingest.streamReadings(batches())) answered.push(durableSequence);
    expect(answered).toEqual([1n, 2n]);
    expect(performance.now() - started).toBeGreaterThan(1_000);
  });
});
