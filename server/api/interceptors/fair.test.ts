import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createContextValues, type UnaryRequest } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { restFacade } from "../../../gateway/rest/names.ts";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../../gen/es/telltale/v1/query_pb.ts";
import { anonymous } from "../../security/principal.ts";
import { rowsOf, rowsRead } from "../../security/rows.ts";
import { peerKey, principalKey } from "../principal.ts";
import { fairInterceptor } from "./fair.ts";

/** Calls that the queue lets through at once. */
const AT_ONCE = 6;
const { listReadings, listSensors, getPlatformHealth, aggregateReadings, batchGetLatestReadings } = QueryService.method;
type Method =
  | (typeof QueryService.method)[keyof typeof QueryService.method]
  | typeof IngestService.method.submitReadings;

/** A queue whose six places are taken until `free`, and the order in which calls behind them begin. */
function busyQueue() {
  const blocked = Promise.withResolvers<void>();
  const order: string[] = [];
  const intercept = fairInterceptor();
  const send = <M extends Method>(
    method: M,
    init: MessageInitShape<M["input"]>,
    from: string,
    work: () => Promise<void>,
  ) => {
    const contextValues = createContextValues();
    contextValues.set(peerKey, { address: from, certificateName: undefined });
    contextValues.set(principalKey, anonymous);
    const message = create(method.input, init as never);
    const { signal } = new AbortController();
    const request = { stream: false, service: method.parent, method, message, contextValues, signal };
    return intercept(async () => {
      await work();
      return {} as never;
    })(request as unknown as UnaryRequest);
  };
  const first = Array.from({ length: AT_ONCE }, (_, i) =>
    send(listReadings, { limit: 1 }, `192.0.2.${100 + i}`, () => blocked.promise),
  );
  const ask = <M extends Method>(name: string, from: string, method: M, init: MessageInitShape<M["input"]>) =>
    send(method, init, from, async () => void order.push(name));
  const free = async (calls: readonly unknown[]) => {
    await new Promise(setImmediate);
    blocked.resolve();
    await Promise.all([...first, ...calls]);
  };
  return { order, ask, free };
}

test("a caller's small question does not wait behind its own large ones", async () => {
  const { order, ask, free } = busyQueue();
  const large = Array.from({ length: 50 }, (_, i) => ask(`large ${i}`, "192.0.2.1", listReadings, { limit: 1_000 }));
  const small = ask("small", "192.0.2.1", listReadings, { limit: 10 });
  await free([...large, small]);
  expect(order).toHaveLength(51);
  expect(order.indexOf("small")).toBeLessThan(AT_ONCE);
});

test("another caller's question comes before what one asks beside, however much it asks", async () => {
  const { order, ask, free } = busyQueue();
  const hostile = Array.from({ length: 150 }, () => ask("hostile", "192.0.2.1", listSensors, { limit: 10_000 }));
  const honest = Array.from({ length: 3 }, () => ask("honest", "192.0.2.2", listReadings, { limit: 100 }));
  await free([...hostile, ...honest]);
  expect(order.lastIndexOf("honest")).toBeLessThanOrEqual(3 + AT_ONCE);
});

test("addresses of one customer's network are one caller", async () => {
  const { order, ask, free } = busyQueue();
  const hostile = Array.from({ length: 60 }, (_, i) =>
    ask("hostile", `2001:db8::${i}`, listReadings, { limit: 1_000 }),
  );
  const honest = ask("honest", "192.0.2.2", listReadings, { limit: 1_000 });
  await free([...hostile, honest]);
  expect(order.indexOf("honest")).toBeLessThanOrEqual(AT_ONCE);
});

test("readings that come in and health never wait", async () => {
  const { order, ask, free } = busyQueue();
  await ask("readings", "192.0.2.1", IngestService.method.submitReadings, {});
  await ask("health", "192.0.2.1", getPlatformHealth, {});
  expect(order).toEqual(["readings", "health"]);
  await free([]);
});

test("a caller with too much waiting is refused, and another is not", async () => {
  const { order, ask, free } = busyQueue();
  const waiting = Array.from({ length: 200 }, () => ask("hostile", "192.0.2.1", listReadings, { limit: 1_000 }));
  await expect(ask("hostile", "192.0.2.1", listReadings, { limit: 1_000 })).rejects.toThrow("wait already");
  const other = ask("other", "192.0.2.2", listReadings, { limit: 1_000 });
  await free([...waiting, other]);
  expect(order).toHaveLength(201);
});

const at = (seconds: number) => timestampFromMs(1000 * seconds);

test.each([
  ["the limit", "ListReadings", create(listReadings.input, { limit: 1_000 }), 1_000, 1_000],
  ["a limit of 0", "ListReadings", create(listReadings.input, { limit: 0 }), 0, 0],
  ["the default of a list", "ListReadings", create(listReadings.input), 100, 100],
  ["what is skipped at a tenth", "ListReadings", create(listReadings.input, { limit: 10, offset: 5_000n }), 10, 510],
  [
    "skips up to the deepest",
    "ListReadings",
    create(listReadings.input, { limit: 0, offset: 2n ** 53n - 1n }),
    0,
    100_000,
  ],
  ["the default of sensors", "ListSensors", create(listSensors.input), 10_000, 10_000],
  [
    "the ids asked for",
    "BatchGetLatestReadings",
    create(batchGetLatestReadings.input, { sensorIds: ["a", "b"] }),
    2,
    2,
  ],
  [
    "buckets of the range",
    "AggregateReadings",
    create(aggregateReadings.input, { startTime: at(0), endTime: at(3_600), bucketSeconds: 7 }),
    515,
    515,
  ],
  [
    "a tenth of the columns of each sensor",
    "GetSeries",
    create(QueryService.method.getSeries.input, { sensorIds: ["a", "b"], columns: 1_000 }),
    200,
    200,
  ],
  [
    "a map as a look at all sensors",
    "GetAnomalyHeatmap",
    create(QueryService.method.getAnomalyHeatmap.input, { columns: 100 }),
    5_000,
    5_000,
  ],
  [
    "as many buckets as there may be",
    "AggregateReadings",
    create(aggregateReadings.input, { startTime: at(0), endTime: at(1e9), bucketSeconds: 1 }),
    10_000,
    10_000,
  ],
])("rows count by %s", (_, method, message, rows, read) => {
  expect(rowsOf(method, message)).toBe(rows);
  expect(rowsRead(method, message)).toBe(read);
});

test("sensors/status asks for at most 10,000 sensors, and counts as so many", () => {
  const row = restFacade.rows.find(({ name }) => name === "sensors_status");
  const request = row?.request?.({ limit: 5, sensor_type: "x" });
  expect(request).toEqual({ limit: 10_000 });
  expect(rowsOf("ListSensors", create(listSensors.input, request as { limit: number }))).toBe(10_000);
});
