/** A plant with faults in it, up to now, as a CSV file: made here, and stored as any other. */
import { Plant } from "../../formats/plant.ts";

const SENSORS = 10;
const INTERVAL_MS = 60_000;
const DAYS = 3;
const FAULT_RATE = 0.001;

/** @param prefix of the ids  @param untilMs of the newest readings */
export function plantFile(prefix: string, untilMs: number, seed = 7): Blob {
  const steps = (DAYS * 86_400_000) / INTERVAL_MS;
  const end = Math.floor(untilMs / INTERVAL_MS) * INTERVAL_MS;
  const plant = new Plant({ seed, sensors: SENSORS, intervalUs: INTERVAL_MS * 1_000, faultRate: FAULT_RATE });
  const parts = ["sensor_id,sensor_type,unit,location,time,value\n"];
  for (let step = steps - 1; step >= 0; step--) {
    const ms = end - step * INTERVAL_MS;
    const time = new Date(ms).toISOString();
    for (const { sensorId, sensorType, unit, location, value } of plant.step(ms * 1_000).readings)
      parts.push(`${prefix}${sensorId},${sensorType},${unit},${location},${time},${value}\n`);
  }
  return new Blob(parts, { type: "text/csv" });
}
