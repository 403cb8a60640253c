/** A sensor gets another id where several processes take readings: all of them know it before anybody is told that it has it. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IngestService } from "../../gen/es/telltale/v1/ingest_pb.ts";
import { QueryService } from "../../gen/es/telltale/v1/query_pb.ts";
import { RegistryService } from "../../gen/es/telltale/v1/registry_pb.ts";
import { fsck } from "../../server/store/fsck.ts";
import { kafkaNeeds, startKafka, type TestKafka } from "../../testing/kafka.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { end } from "../../testing/processes.ts";
import { startRedis, type TestRedis } from "../../testing/redis.ts";

const DAY = 86_400_000;

describeWith([...kafkaNeeds, "redis-server"], "several processes that take readings", () => {
  let servers: [TestPostgres, TestKafka, TestRedis];
  let ingest: Platform[] = [];
  let query: Platform;
  const others: Platform[] = [];
  let at = Date.now() - DAY;

  beforeAll(async () => {
    servers = await Promise.all([startPostgres(), startKafka(), startRedis()]);
    const [postgres, kafka, redis] = servers;
    const member = (ROLE: string) =>
      startPlatform({
        ...{ ROLE, DATABASE_URL: postgres.url, KAFKA_BOOTSTRAP_SERVERS: kafka.brokers.join(), KAFKA_PARTITIONS: "4" },
        REDIS_URL: `redis://127.0.0.1:${redis.port}`,
      });
    const score = await member("score");
    const [one, two, reader] = await Promise.all([member("ingest"), member("ingest"), member("query")]);
    ingest = [one, two];
    query = reader;
    others.push(score);
  }, 240_000);
  afterAll(async () => {
    await Promise.all([...ingest, query, ...others].map((platform) => platform?.stop()));
    await Promise.all((servers ?? []).map((server) => server.stop()));
  });

  const registry = () => createClient(RegistryService, createGrpcTransport({ baseUrl: query.grpc }));
  const stats = (sensorId: string) =>
    createClient(QueryService, createGrpcTransport({ baseUrl: query.grpc })).getSensorStats({ sensorId });
  async function send({ grpc }: Platform, sensorId: string): Promise<bigint> {
    const client = createClient(IngestService, createGrpcTransport({ baseUrl: grpc }));
    at += 1_000;
    const reading = {
      sensorId,
      sensorType: "flow",
      unit: "l",
      value: (at / 1_000) % 7,
      observedAt: timestampFromMs(at),
    };
    return (await client.submitReadings({ readings: [reading] })).counts!.accepted;
  }

  test("take the next reading under the new id for the sensor's, each of them, however often it is renamed", async () => {
    for (const process of ingest) expect(await send(process, "c0")).toBe(1n);
    for (let i = 1; i <= 10; i++) {
      await registry().renameSensor({ sensorId: `c${i - 1}`, newSensorId: `c${i}` });
      for (const process of ingest) for (const id of [`c${i}`, "c0"]) expect(await send(process, id)).toBe(1n);
    }
    expect(await stats("c3")).toMatchObject({ sensorId: "c10", totalReadings: 42n });
    const { sensors } = await registry().listSensors({});
    expect(sensors.map(({ sensorId }) => sensorId)).toEqual(["c10"]);
    expect((await fsck(servers[0].url)).problems).toEqual([]);
  }, 120_000);

  test("know again that an id is free, and that it is another sensor's then", async () => {
    await registry().deleteSensor({ sensorId: "c10", whileSending: true });
    await send(ingest[0]!, "d0");
    for (const id of ["c0", "c10"]) {
      // Free as soon as what was stored is removed.
      for (;;) {
        const { deletions } = await registry().listSensorDeletions({ unfinished: true });
        if (deletions.length === 0) break;
      }
      const { sensor } = await registry().renameSensor({ sensorId: "d0", newSensorId: id });
      expect(sensor?.sensorId).toBe(id);
      for (const process of ingest) expect(await send(process, id)).toBe(1n);
    }
    expect(await stats("d0")).toMatchObject({ sensorId: "c10", totalReadings: 5n });
    expect((await registry().listSensors({})).sensors).toHaveLength(1);
  }, 120_000);

  test("are waited for while they are cut off, and no longer than their lease where they were killed", async () => {
    const [killed, left] = ingest as [Platform, Platform];
    await end(killed.process, "SIGKILL");
    const { sensor } = await registry().renameSensor({ sensorId: "d0", newSensorId: "d1" });
    expect(sensor?.sensorId).toBe("d1");
    expect(await send(left, "d1")).toBe(1n);
    expect(await stats("d0")).toMatchObject({ sensorId: "d1", totalReadings: 6n });
    expect((await fsck(servers[0].url)).problems).toEqual([]);
  }, 120_000);
});
