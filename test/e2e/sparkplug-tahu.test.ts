/** An edge node of Eclipse Tahu, with aliases, while its host application is killed again and again. */
import { expect, test, vi } from "vitest";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { type Count, startTahuEdge, type TahuEdge, tahuJars, tahuNeeds } from "../../testing/clients/tahu.ts";
import { fetched } from "../../testing/fetched.ts";
import { metric, until } from "../../testing/metric.ts";
import { startMosquitto } from "../../testing/mosquitto.ts";
import { connectedToBroker } from "../../testing/mqtt-connected.ts";
import { describeWith } from "../../testing/needs.ts";
import { type Platform, startPlatform } from "../../testing/platform.ts";
import { end } from "../../testing/processes.ts";
import { allReadings, allValues } from "../../testing/readings.ts";

const KILLS = 2;
/** Between two kills. */
const STORED_BETWEEN = 20;
const COUNT = "plant/tahu/press/Strokes/count";
const HOST_ID = "telltale";

describeWith([...tahuNeeds, "mosquitto"], "an edge node of Eclipse Tahu", () => {
  vi.setConfig({ testTimeout: 300_000 });
  const { add, started, installation } = cleanupAfterEach();

  async function plant() {
    const broker = await started(startMosquitto({ lines: ["max_queued_messages 0"] }));
    const environment = { DATA_DIR: await installation(), MQTT_URL: broker.url, MQTT_SPARKPLUG_HOST_ID: HOST_ID };
    let platform = await startPlatform(environment);
    add(() => platform.stop());
    await connectedToBroker(platform);
    const edge = async (primaryHost?: string) => {
      const one = await startTahuEdge(broker.port, primaryHost);
      add(one.kill);
      return one;
    };
    /** kill -9, and a start once it has been away for as long as `isAway` says. */
    const kill = async (isAway: () => boolean) => {
      await end(platform.process, "SIGKILL");
      await until(isAway);
      platform = await startPlatform(environment);
    };
    return { edge, kill, platform: () => platform };
  }

  test("is asked for a rebirth by a host that was killed, which then takes all, and nothing twice", async (context) => {
    await fetched(context, "Eclipse Tahu", tahuJars);
    const { edge, kill, platform } = await plant();
    const tahu = await edge();
    for (let kills = 0, births = 0; ; kills++) {
      await until(() => tahu.births > births);
      await storedSince(platform(), tahu);
      if (kills === KILLS) break;
      births = tahu.births;
      const before = await stored(platform());
      const away = tahu.counts.length + STORED_BETWEEN;
      await kill(() => tahu.counts.length > away);
      expect((await stored(platform())).slice(0, before.length)).toEqual(before);
      await until(() => tahu.rebirths === kills + 1);
      expect(await metric(platform().http, 'telltale_mqtt_messages_skipped_total{reason="no_birth"}')).toBeGreaterThan(
        0,
      );
    }
    await tahu.kill();
    await died(platform(), tahu);
    const counts = await stored(platform());
    expect(new Set(counts.map(([timeMs]) => timeMs)).size, "a reading is stored twice").toBe(counts.length);
    const measured = new Map(tahu.counts);
    expect(counts.filter(([timeMs, value]) => measured.get(timeMs) !== value)).toEqual([]);
  });

  test("loses nothing of which its primary host is killed: what it kept comes as history, and once", async (context) => {
    await fetched(context, "Eclipse Tahu", tahuJars);
    const { edge, kill, platform } = await plant();
    const tahu = await edge(HOST_ID);
    for (let kills = 0, births = 0; ; kills++) {
      await until(() => tahu.births > births);
      await storedSince(platform(), tahu);
      if (kills === KILLS) break;
      births = tahu.births;
      const away = tahu.counts.length + STORED_BETWEEN;
      await kill(() => tahu.counts.length > away);
    }
    await tahu.close();
    await until(async () => (await stored(platform())).length >= tahu.counts.length);
    expect(await stored(platform())).toEqual(tahu.counts);
    await died(platform(), tahu);
    const [load] = await allReadings(platform().grpc, "plant/tahu/load");
    expect(load).toMatchObject({ value: 7.5, unit: "kW", sensorType: "sparkplug" });
    expect(new Set(await allValues(platform().grpc, "plant/tahu/press/running"))).toEqual(new Set([1]));
    for (const none of ["bdSeq", "Node Control/Rebirth", "Properties/Hardware"])
      expect(await allReadings(platform().grpc, `plant/tahu/${none}`), none).toEqual([]);
  });
});

/** Resolves when its death is noted, after each of its births. One that comes when the host is back from a kill is noted too. */
async function died({ grpc }: Platform, { births }: TahuEdge): Promise<void> {
  await until(async () => (await allValues(grpc, "plant/tahu/$online")).at(-1) === 0);
  for (const online of ["plant/tahu/$online", "plant/tahu/press/$online"]) {
    const values = await allValues(grpc, online);
    expect(values.at(-1), online).toBe(0);
    expect(
      values.filter((value) => value === 1),
      online,
    ).toHaveLength(births);
  }
}

/** What is stored of what it counts, the oldest first. */
async function stored({ grpc }: Platform): Promise<Count[]> {
  const readings = await allReadings(grpc, COUNT);
  return readings
    .reverse()
    .map(({ observedAt, value }) => [Number(observedAt!.seconds) * 1e3 + observedAt!.nanos / 1e6, value]);
}

/** Resolves when all is stored of a number of counts since its last birth, that of the birth included. */
async function storedSince(platform: Platform, { sinceBirth }: TahuEdge): Promise<void> {
  await until(() => sinceBirth.length > STORED_BETWEEN);
  const wanted = sinceBirth.slice();
  await until(async () => {
    const times = new Map(await stored(platform));
    return wanted.every(([timeMs, value]) => times.get(timeMs) === value);
  });
}
