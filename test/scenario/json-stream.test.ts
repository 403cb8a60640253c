import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { describeWith } from "../../testing/needs.ts";
import { startPlatform } from "../../testing/platform.ts";
import { startRedis } from "../../testing/redis.ts";

describeWith(["redis-server"], "the Redis channel of readings", () => {
  test("whoever subscribes to sensor_data_stream in Redis gets each stored reading as a JSON object, once and in order", async () => {
    const redis = await startRedis();
    const platform = await startPlatform({ REDIS_URL: redis.url });
    const listener = new Redis(redis.url);
    try {
      const values: number[] = [];
      let last = {};
      const complete = Promise.withResolvers<void>();
      listener.on("message", (_, text) => {
        const message = JSON.parse(text) as { sensor_id?: string; value?: number; gap?: boolean };
        const { sensor_id, value, gap } = message;
        last = message;
        if (gap) complete.reject(new Error("a gap among few readings"));
        if (sensor_id === "s") values.push(value!);
        if (values.at(-1) === 99) complete.resolve();
      });
      await listener.subscribe("sensor_data_stream");
      const post = (sensor: string, value: number) =>
        fetch(`${platform.http}/api/v1/sensors/data`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ sensor_id: sensor, sensor_type: "t", value, unit: "C" }),
        });
      // The platform asks every 100 ms whether somebody listens: until then readings of another sensor are not heard.
      const heard = new Promise((resolve) => listener.once("message", resolve));
      const knock = setInterval(() => void post("knock", 0), 200);
      await heard;
      clearInterval(knock);
      for (let value = 0; value < 100; value++) expect((await post("s", value)).status).toBe(200);
      await complete.promise;
      expect(values).toEqual(Array.from({ length: 100 }, (_, i) => i));
      const latest = await fetch(`${platform.http}/api/v1/sensors/data/s/latest`);
      expect(last, "the same fields and texts as by REST").toEqual(await latest.json());
    } finally {
      listener.disconnect();
      await platform.stop();
      await redis.stop();
    }
  }, 180_000); // within it the platform and its database start, on a loaded machine
});
