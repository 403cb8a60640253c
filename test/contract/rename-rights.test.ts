/** Nobody is told what a sensor is called, or was called, that he may not see: by any call that names a sensor, in answers and errors. */
import { type DescMethod, type DescService, toJsonString } from "@bufbuild/protobuf";
import { type CallOptions, ConnectError, createClient } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Scope } from "../../gen/es/telltale/v1/admin_pb.ts";
import { AlertService } from "../../gen/es/telltale/v1/alert_pb.ts";
import { DetectorService } from "../../gen/es/telltale/v1/detector_pb.ts";
import { IncidentService } from "../../gen/es/telltale/v1/incident_pb.ts";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { WatchService } from "../../gen/es/telltale/v1/watch_pb.ts";
import { rules } from "../../server/security/rules.ts";
import { fill, type Secured, startSecured } from "../../testing/secured.ts";

/** What the sensor was called, and is called. */
const FORMER = "hall/press-1";
const PRESENT = "roof/press-1";
const SERVICES = [AlertService, DetectorService, IncidentService, QueryService, RegistryService, WatchService];
const FIELDS = new Set(["sensor_id", "sensor_ids"]);
/** What the calls need beside the sensor, and requests that are not made of it alone. */
const NEEDED: Readonly<Record<string, object>> = {
  AggregateReadings: { bucketSeconds: 3600, startTime: { seconds: 0n }, endTime: { seconds: 3600n } },
  GetSeries: { columns: 10, startTime: { seconds: 0n }, endTime: { seconds: 3600n } },
  RenameSensor: { newSensorId: "hall/press-2" },
  UpdateSensor: { profile: { sensorId: FORMER, owner: "Ann" } },
  DeleteSensor: { dryRun: true },
  DeleteSensors: { dryRun: true },
};

let platform: Secured;
let hall: string;
let roof: string;
beforeAll(async () => {
  platform = await startSecured();
  const admin = platform.as(platform.adminToken);
  const all = [Scope.INGEST, Scope.READ, Scope.OPERATE, Scope.ADMIN];
  hall = (await platform.mint(all, "hall/")).secret;
  roof = (await platform.mint(all, "roof/")).secret;
  await fill(admin, FORMER);
  const config = { sensorId: FORMER, alarmsPerSensorDay: 3 };
  await createClient(DetectorService, admin).setDetectorConfig({ config });
  await createClient(RegistryService, admin).updateSensor({ profile: { sensorId: FORMER, owner: "Bob" } });
  await createClient(RegistryService, admin).renameSensor({ sensorId: FORMER, newSensorId: PRESENT });
}, 120_000);
afterAll(() => platform?.stop());

/** Calls that a limited caller may make and that name sensors. */
function namingCalls(): [string, DescService, DescMethod][] {
  return SERVICES.flatMap((service) =>
    service.methods
      .filter((method) => namesSensor(method))
      .filter((method) => typeof rules[`${service.typeName}/${method.name}`] !== "object")
      .map((method): [string, DescService, DescMethod] => [method.name, service, method]),
  );
}

function namesSensor({ input, name }: DescMethod): boolean {
  const inItems = input.fields.some(({ message }) => message?.fields.some((field) => FIELDS.has(field.name)));
  return name in NEEDED || inItems || input.fields.some((field) => FIELDS.has(field.name));
}

/** A request that names the sensor wherever it can. */
function requestOf({ input, name }: DescMethod): object {
  const fields = input.fields.flatMap((field): [string, unknown][] => {
    if (field.name === "sensor_id") return [[field.localName, FORMER]];
    if (field.name === "sensor_ids") return [[field.localName, [FORMER]]];
    if (field.fieldKind !== "list" || field.message === undefined) return [];
    return name === "ApplySensors" ? [[field.localName, [{ profile: { sensorId: FORMER, owner: "Ann" } }]]] : [];
  });
  return { ...Object.fromEntries(fields), ...NEEDED[name] };
}

type Call = (request: object, options?: CallOptions) => Promise<object> | AsyncIterable<object>;

/** All that the caller is told: the answer, of a stream the first one, or the error with its details. */
async function told(token: string, service: DescService, method: DescMethod, request: object): Promise<string> {
  const client = createClient(service, platform.as(token)) as unknown as Record<string, Call>;
  try {
    const answer = client[method.localName]!(request);
    const first = Symbol.asyncIterator in answer ? await firstOf(answer) : await answer;
    return toJsonString(method.output, first as never);
  } catch (error) {
    const { message, metadata, details } = ConnectError.from(error);
    const binary = [...metadata].map(([, value]) => Buffer.from(value, "base64").toString("latin1"));
    return JSON.stringify([message, [...metadata], binary, details], (_, value) =>
      typeof value === "bigint" ? String(value) : value,
    );
  }
}

async function firstOf(messages: AsyncIterable<object>): Promise<object> {
  for await (const message of messages) return message;
  throw new Error("the stream has no message");
}

describe("of a sensor that was renamed out of the caller's prefix", () => {
  test.each(namingCalls())("%s says nothing but the id that it was asked by", async (_, service, method) => {
    const answer = await told(hall, service, method, requestOf(method));
    expect(answer).not.toContain("roof/");
    expect(answer).not.toContain("Bob");
  });

  test("calls answer as for one that was never there", async () => {
    const registry = createClient(RegistryService, platform.as(hall));
    await expect(registry.getSensor({ sensorId: FORMER })).rejects.toThrow(`there is no sensor "${FORMER}"`);
    const detector = createClient(DetectorService, platform.as(hall));
    await expect(detector.getDetectorConfig({ sensorId: FORMER })).rejects.toThrow(/neither readings nor settings/);
    const { unknownSensorIds } = await createClient(QueryService, platform.as(hall)).getSeries({
      ...{ sensorIds: [FORMER], ...NEEDED.GetSeries },
    } as never);
    expect(unknownSensorIds).toEqual([FORMER]);
    // Nor is a second sensor begun under its id.
    await expect(registry.updateSensor({ profile: { sensorId: FORMER, owner: "Ann" } })).rejects.toThrow(/another id/);
  });

  test("what is sent under its former id is answered under that, whether it is new, there already or another value", async () => {
    const ingest = createClient(IngestService, platform.as(hall));
    const at = { seconds: 1_700_000_000n, nanos: 0 };
    const send = (value: number) =>
      ingest.submitReadings({
        readings: [{ sensorId: FORMER, sensorType: "temperature", unit: "C", value, observedAt: at }],
      });
    for (const _ of ["new", "resent"]) {
      const { stored } = await send(7);
      expect(stored.map(({ sensorId, value }) => [sensorId, value])).toEqual([[FORMER, 7]]);
    }
    const { refusals } = await send(8);
    expect(refusals).toMatchObject([{ message: expect.stringMatching(/^the sensor has the value 7 at /) }]);
    const own = createClient(IngestService, platform.as(roof));
    const { stored } = await own.submitReadings({
      readings: [{ sensorId: PRESENT, sensorType: "temperature", unit: "C", value: 7, observedAt: at }],
    });
    expect(stored.map(({ sensorId }) => sensorId)).toEqual([PRESENT]);
  });
});
