import { create, type DescMethod, type Message } from "@bufbuild/protobuf";
import { createContextValues, type UnaryRequest } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { DetectorService } from "../../../gen/es/telltale/v1/detector_pb.ts";
import { IngestService } from "../../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../../gen/es/telltale/v1/registry_pb.ts";
import { WatchService } from "../../../gen/es/telltale/v1/watch_pb.ts";
import { anonymous } from "../../security/principal.ts";
import { Names } from "../../store/names.ts";
import { principalKey } from "../principal.ts";
import { namesInterceptor } from "./names.ts";

const names = new Names([
  { name: "old", key: "old", current: false },
  { name: "new", key: "old", current: true },
]);

/** What the service gets of the request. */
async function seen(method: DescMethod, message: Message, current = names, sensorPrefix = ""): Promise<Message> {
  let got: unknown;
  const stream = method.methodKind !== "unary";
  async function* one() {
    yield message;
  }
  const contextValues = createContextValues().set(principalKey, { ...anonymous, sensorPrefix });
  const request = { stream, service: method.parent, method, message: stream ? one() : message, contextValues };
  const next = async (passed: { message: unknown }) => {
    if (!stream) got = passed.message;
    else for await (const each of passed.message as AsyncIterable<unknown>) got = each;
    return {} as never;
  };
  await namesInterceptor({ current })(next as never)(request as unknown as UnaryRequest);
  return got as Message;
}

test("a service sees the id that is shown, wherever a request names a sensor, and the request stays as it was", async () => {
  const cases: [DescMethod, object, object][] = [
    [QueryService.method.listReadings, { sensorId: "old" }, { sensorId: "new" }],
    [QueryService.method.batchGetLatestReadings, { sensorIds: ["x", "old"] }, { sensorIds: ["x", "new"] }],
    [WatchService.method.watchReadings, { sensorId: "old" }, { sensorId: "new" }],
    [DetectorService.method.setDetectorConfig, { config: { sensorId: "old" } }, { config: { sensorId: "new" } }],
    [
      RegistryService.method.applySensors,
      { changes: [{ profile: { sensorId: "old", owner: "old" } }] },
      { changes: [{ profile: { sensorId: "new", owner: "old" } }] },
    ],
    [
      DetectorService.method.backtest,
      { sensorIds: ["old"], labels: [{ sensorId: "old" }] },
      { sensorIds: ["new"], labels: [{ sensorId: "new" }] },
    ],
  ];
  for (const [method, sent, wanted] of cases) {
    const message = create(method.input, sent as never);
    expect(await seen(method, message)).toEqual(create(method.input, wanted as never));
    expect(message).toEqual(create(method.input, sent as never));
  }
});

test("readings, renames and requests without renamed sensors are left as they are", async () => {
  const readings = create(IngestService.method.submitReadings.input, { readings: [{ sensorId: "old" }] } as never);
  expect(await seen(IngestService.method.submitReadings, readings)).toBe(readings);
  const rename = create(RegistryService.method.renameSensor.input, { sensorId: "old", newSensorId: "x" } as never);
  expect(await seen(RegistryService.method.renameSensor, rename)).toBe(rename);
  const list = create(QueryService.method.listReadings.input, { sensorId: "old" } as never);
  expect(await seen(QueryService.method.listReadings, list, Names.NONE)).toBe(list);
});

test("an id that leads to a sensor which the caller may not see stays as it was given", async () => {
  const cases: [DescMethod, object][] = [
    [QueryService.method.batchGetLatestReadings, { sensorIds: ["x", "old"] }],
    [WatchService.method.watchReadings, { sensorId: "old" }],
    [RegistryService.method.applySensors, { changes: [{ profile: { sensorId: "old" } }] }],
  ];
  for (const [method, sent] of cases) {
    const message = create(method.input, sent as never);
    expect(await seen(method, message, names, "o")).toEqual(message);
    expect(await seen(method, message, names, "n")).not.toEqual(message);
  }
});
