/** Scoring alone on one core: the whole ensemble with the recurrent model. */
import { createDetector, createScoreBatch } from "../server/detect/index.ts";

const BLOCK = 100;
const BLOCKS = 25;

/** CPU µs a reading once every sensor is past its youth. */
export function scoreCost(
  sensors: number,
  rounds: number,
): { us: number; bytesPerSensor: number; modelVersion: string } {
  const detector = createDetector();
  for (let i = 0; i < sensors; i++) detector.addSensor("temperature", "C");
  const batch = createScoreBatch(BLOCK * BLOCKS);
  let microseconds = 0;
  let readings = 0;
  let state = 1;
  for (let round = 0; round < rounds; round++) {
    for (let k = 0; k < sensors; k += BLOCKS) {
      for (let row = 0; row < BLOCK * BLOCKS; row++) {
        const step = round * BLOCK + (row % BLOCK);
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        batch.slot[row] = k + Math.floor(row / BLOCK);
        batch.timeUs[row] = 1.7e15 + step * 1e6;
        batch.value[row] = Math.round(2150 + 300 * Math.sin(step / 500) + 40 * (state / 4294967296)) / 100;
      }
      batch.length = BLOCK * BLOCKS;
      const before = process.cpuUsage();
      detector.score(batch);
      const used = process.cpuUsage(before);
      if (round === 0) continue; // young sensors are cheaper
      microseconds += used.user + used.system;
      readings += batch.length;
    }
  }
  return { us: microseconds / readings, bytesPerSensor: detector.bytesPerSensor, modelVersion: detector.modelVersion };
}
