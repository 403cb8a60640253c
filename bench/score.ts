/** Scoring alone on one core: the whole ensemble with the recurrent model. */
import { createDetector, createScoreBatch, type Detector, type ScoreBatch } from "../server/detect/index.ts";

/** Rows of a call. */
const ROWS = 2500;
const BLOCK = 100;
/** Readings of a sensor before anything is measured: past its cold start, which is cheaper. */
const WARM_READINGS = 2 * BLOCK;

export interface ScoreCost {
  /** CPU µs a reading. */
  readonly us: number;
  readonly bytesPerSensor: number;
  readonly modelVersion: string;
}

/** CPU of `readings` readings of each of the sensors, `block` of a sensor in a row. */
export function scoreCost(sensors: number, readings: number, block: number = BLOCK): ScoreCost {
  const detector = createDetector();
  for (let i = 0; i < sensors; i++) detector.addSensor("temperature", "C");
  const load = new Load(detector, sensors);
  load.play(WARM_READINGS, BLOCK);
  const us = load.play(readings, block) / (sensors * readings);
  return { us, bytesPerSensor: detector.bytesPerSensor, modelVersion: detector.modelVersion };
}

/** A slow wave with noise for each sensor. */
class Load {
  readonly #detector: Detector;
  readonly #seen: Int32Array;
  readonly #batch: ScoreBatch = createScoreBatch(ROWS);
  #noise = 1;

  constructor(detector: Detector, sensors: number) {
    this.#detector = detector;
    this.#seen = new Int32Array(sensors);
  }

  /** Scores so many readings of each sensor; returns the CPU µs that it took. */
  play(readings: number, block: number): number {
    const each = ROWS / block;
    let us = 0;
    for (let round = 0; round < readings; round += block) {
      for (let first = 0; first < this.#seen.length; first += each) {
        this.#fill(first, block);
        const before = process.cpuUsage();
        this.#detector.score(this.#batch);
        const used = process.cpuUsage(before);
        us += used.user + used.system;
      }
    }
    return us;
  }

  #fill(first: number, block: number): void {
    const batch = this.#batch;
    batch.length = ROWS;
    for (let row = 0; row < ROWS; row++) {
      const slot = first + Math.floor(row / block);
      const step = this.#seen[slot]!++;
      this.#noise = (Math.imul(this.#noise, 1664525) + 1013904223) >>> 0;
      batch.slot[row] = slot;
      batch.timeUs[row] = 1.7e15 + step * 1e6;
      batch.value[row] = Math.round(2150 + 300 * Math.sin(step / 500) + 40 * (this.#noise / 4294967296)) / 100;
    }
  }
}
