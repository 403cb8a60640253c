/** The platform is killed and comes back after a while: no sensor that went on is told as silent, and one that stopped is. */
import { setTimeout as delay, setInterval } from "node:timers/promises";
import { expect, test } from "vitest";
import { createDeviceClient } from "../../client/index.ts";
import { cleanupAfterEach } from "../../testing/cleanup.ts";
import { until } from "../../testing/metric.ts";
import { startPlatform } from "../../testing/platform.ts";
import { end, freePort } from "../../testing/processes.ts";
import { allAlerts, allReadings } from "../../testing/readings.ts";

const DOWN_MS = 8_000;
/** Readings of before the test, sent at once: so many are needed before a sensor is judged. */
const PAST = 30;
/** So many came one by one, and their rhythm is known. */
const HEARD = 12;

const { add, installation } = cleanupAfterEach();

test("sensors with a reading each 1 or 2 s are not silent while the platform is down, and one that stopped then is told", async () => {
  const environment = {
    DATA_DIR: await installation(),
    PORT: String(await freePort()),
    GRPC_PORT: String(await freePort()),
  };
  let platform = await startPlatform(environment);
  add(() => platform.stop());
  const client = createDeviceClient({ url: platform.grpc, producer: "plant", lingerMs: 10 });
  add(() => client.close());
  const over = new AbortController();
  add(async () => over.abort());
  const send = (sensorId: string, atMs: number) =>
    client.send({ sensorId, sensorType: "level", unit: "m", value: (atMs % 977) / 977, observedAtUs: atMs * 1000 });
  const going = async (sensorId: string, everyMs: number, { signal }: AbortController) => {
    const now = Date.now();
    for (let i = PAST; i > 0; i--) await send(sensorId, now - i * everyMs);
    for await (const _ of setInterval(everyMs, undefined, { signal })) await send(sensorId, Date.now());
  };
  const stopped = new AbortController();
  add(async () => stopped.abort());
  const ends = [
    going("each-second", 1_000, over),
    going("each-other-second", 2_000, over),
    going("stops", 2_000, stopped),
  ].map((running) => expect(running).rejects.toThrow("aborted"));
  await until(async () => (await allReadings(platform.grpc, "stops")).length >= PAST + HEARD);

  await end(platform.process, "SIGKILL");
  stopped.abort();
  await delay(DOWN_MS);
  platform = await startPlatform(environment);
  await until(async () => (await allAlerts(platform.grpc, "stops")).length > 0);
  const [alert, ...more] = await allAlerts(platform.grpc, "stops");
  expect(alert).toMatchObject({ alertType: "silence" });
  expect(more).toEqual([]);
  for (const sensorId of ["each-second", "each-other-second"]) {
    expect(await allAlerts(platform.grpc, sensorId), sensorId).toEqual([]);
  }
  over.abort();
  await Promise.all(ends);
}, 300_000);
