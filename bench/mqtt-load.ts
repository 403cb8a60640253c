/** `node bench/mqtt-load.ts URL SENSORS ROUNDS`: publishes so many messages of each sensor with QoS 1, many at once. */
import { startPublisher } from "../testing/mqtt-publisher.ts";

const [url = "", sensors = "", rounds = ""] = process.argv.slice(2);
const AT_ONCE = 500;
const START_MS = Date.now() - 86_400_000;

const devices = await startPublisher(url);
let under: Promise<void>[] = [];
for (let round = 0; round < Number(rounds); round++) {
  for (let s = 0; s < Number(sensors); s++) {
    const value = Math.round(2150 + 300 * Math.sin(round / 500) + 40 * Math.random()) / 100;
    under.push(
      devices.publish(`telltale/hall-${s % 10}/sensor-${s}`, {
        ...{ value, unit: "C", type: "temperature", timestamp: START_MS + round * 1_000 },
      }),
    );
    if (under.length === AT_ONCE) {
      await Promise.all(under);
      under = [];
    }
  }
}
await Promise.all(under);
await devices.stop();
