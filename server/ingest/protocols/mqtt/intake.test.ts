import { afterEach, beforeEach, expect, test } from "vitest";
import { TelltaleError } from "../../../errors.ts";
import { createMetrics, type Metrics } from "../../../observe/metrics.ts";
import type { Submission } from "../../ingestor.ts";
import { MAX_SINGLE_READINGS } from "../../limits.ts";
import type { Connection } from "./connection.ts";
import { Intake } from "./intake.ts";
import type { Delivery } from "./session.ts";
import { TopicMapper } from "./topic-mapper.ts";

/** What an ingestor answers is in the test's hand. */
interface Handed {
  readonly values: readonly number[];
  readonly durable: PromiseWithResolvers<void>;
}

const FROM = {} as Connection;
let handed: Handed[];
let acknowledged: number[];
let rooms: boolean[];
let refuse: ((values: readonly number[]) => void) | undefined;
let change: PromiseWithResolvers<void>;
let metrics: Metrics;
let intake: Intake;
let ending: AbortController;
let running: Promise<unknown>;

const told = () => {
  change.resolve();
  change = Promise.withResolvers();
};
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await change.promise;
}

beforeEach(() => {
  handed = [];
  acknowledged = [];
  rooms = [];
  refuse = undefined;
  change = Promise.withResolvers();
  ending = new AbortController();
  metrics = createMetrics({ processMetrics: false });
  intake = new Intake({
    ingestor: {
      room: async () => {},
      submit: ({ readings }) => {
        const values = readings.map(({ value }) => value!);
        if (values.length > MAX_SINGLE_READINGS) throw new TelltaleError("invalid", "too many");
        refuse?.(values);
        const durable = Promise.withResolvers<void>();
        handed.push({ values, durable });
        told();
        return {
          readings: values.length,
          rejected: 0,
          refusals: [],
          durable: durable.promise,
        } as unknown as Submission;
      },
    },
    mappers: [new TopicMapper(["telltale/#"])],
    maxHeld: 4,
    acknowledge: (_, ids) => {
      acknowledged.push(...ids);
      told();
    },
    onRoom: (hasRoom) => rooms.push(hasRoom),
    metrics,
    sampled: { say: () => {} },
  });
  running = intake.run(ending.signal).catch((error: unknown) => {
    if (!ending.signal.aborted) throw error;
  });
});
afterEach(async () => {
  ending.abort(new Error("over"));
  await running;
});

const delivery = (packetId: number, payload = String(packetId)): Delivery => ({
  message: { topic: "telltale/x", payload: new TextEncoder().encode(payload), retained: false, arrivedUs: packetId },
  from: FROM,
  packetId,
});

test("messages that come together are one batch, and later ones do not wait for its acknowledgement", async () => {
  intake.take([delivery(1), delivery(2)]);
  await until(() => handed.length === 1);
  intake.take([delivery(3)]);
  await until(() => handed.length === 2);
  expect(handed.map(({ values }) => values)).toEqual([[1, 2], [3]]);
  expect(acknowledged).toEqual([]);
});

test("acknowledges when durable, in the order in which the messages came", async () => {
  intake.take([delivery(1)]);
  await until(() => handed.length === 1);
  intake.take([delivery(2)]);
  await until(() => handed.length === 2);
  handed[1]!.durable.resolve();
  await new Promise(setImmediate);
  expect(acknowledged).toEqual([]);
  handed[0]!.durable.resolve();
  await until(() => acknowledged.length === 2);
  expect(acknowledged).toEqual([1, 2]);
});

test("acknowledges what gives no reading too, in its turn", async () => {
  intake.take([delivery(1, "on"), delivery(2), delivery(3, "off")]);
  await until(() => handed.length === 1);
  expect(acknowledged).toEqual([]);
  handed[0]!.durable.resolve();
  await until(() => acknowledged.length === 3);
});

test("counts what is left out of a message of which the rest is stored", async () => {
  intake.take([delivery(1, '{"a":1e999,"b":2}')]);
  await until(() => handed.length === 1);
  expect(handed[0]!.values).toEqual([2]);
  const { values } = await metrics.mqttSkipped.get();
  expect(values).toMatchObject([{ labels: { reason: "not_a_number" }, value: 1 }]);
  handed[0]!.durable.resolve();
  await until(() => acknowledged.length === 1);
});

test("hands over again what could not be stored, and acknowledges it only then", async () => {
  intake.take([delivery(1)]);
  await until(() => handed.length === 1);
  handed[0]!.durable.reject(new Error("the log is away"));
  await until(() => handed.length === 2);
  expect(acknowledged).toEqual([]);
  expect(handed[1]!.values).toEqual([1]);
  handed[1]!.durable.resolve();
  await until(() => acknowledged.length === 1);
});

test("waits where there is no room on the disk", async () => {
  let full = 2;
  refuse = () => {
    if (full-- > 0) throw new TelltaleError("exhausted", "the disk is full", { retryAfterMs: 1 });
  };
  intake.take([delivery(1)]);
  await until(() => handed.length === 1);
  handed[0]!.durable.resolve();
  await until(() => acknowledged.length === 1);
});

test("a message that the ingestor can never take keeps no other from being stored", async () => {
  refuse = (values) => {
    if (values.includes(2)) throw new TelltaleError("invalid", "not this one");
  };
  intake.take([delivery(1), delivery(2), delivery(3)]);
  await until(() => handed.length === 1);
  handed[0]!.durable.resolve();
  await until(() => handed.length === 2);
  handed[1]!.durable.resolve();
  await until(() => acknowledged.length === 3);
  expect(handed.map(({ values }) => values)).toEqual([[1], [3]]);
});

test("a message of more readings than a batch takes is stored whole, and acknowledged when all of it is", async () => {
  const readings = Array.from({ length: 2 * MAX_SINGLE_READINGS }, (_, i) => ({
    ...{ sensorId: `s${i}`, sensorType: "t", unit: "1", value: i, observedUs: 1 },
  }));
  intake.take([{ ...delivery(1), mapped: { readings } }]);
  await until(() => handed.flatMap(({ values }) => values).length === readings.length);
  expect(Math.max(...handed.map(({ values }) => values.length))).toBeLessThanOrEqual(MAX_SINGLE_READINGS);
  expect(handed.flatMap(({ values }) => values)).toEqual(readings.map(({ value }) => value));
  const [first, ...others] = handed;
  for (const { durable } of others) durable.resolve();
  await new Promise(setImmediate);
  expect(acknowledged).toEqual([]);
  first!.durable.resolve();
  await until(() => acknowledged.length === 1);
});

test("says when it is full, and when it has room again", async () => {
  intake.take([1, 2, 3, 4, 5].map((id) => delivery(id)));
  expect(rooms).toEqual([false]);
  await until(() => handed.length === 1);
  handed[0]!.durable.resolve();
  await until(() => acknowledged.length === 5);
  expect(rooms).toEqual([false, true]);
  expect(intake.held).toBe(0);
});
