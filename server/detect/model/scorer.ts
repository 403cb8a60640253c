import { createDetector, type Detector } from "../index.ts";
import { loadForecaster } from "./forecaster.ts";

export interface ScorerOptions {
  /** Confidence from which a reading counts as anomalous, 0 to 1. */
  readonly threshold: number;
  /** Alarms per sensor and day that are acceptable on normal data. */
  readonly alarmsPerSensorDay: number;
  /** Runtime of the recurrent model: auto, js, tfjs-wasm or tfjs-node. */
  readonly runtime: string;
  readonly modelPath: string | undefined;
}

export interface Scorer {
  readonly modelVersion: string;
  readonly createDetector: () => Detector;
}

/** Loads the model once for the thread; each partition gets a detector of its own. Throws StartupError as `loadForecaster`. */
export async function createScorer(o: ScorerOptions): Promise<Scorer> {
  const trunk = await loadForecaster(o.runtime, o.modelPath);
  const options = { threshold: o.threshold, alarmsPerSensorDay: o.alarmsPerSensorDay };
  const create = () => createDetector(options, trunk);
  return { modelVersion: create().modelVersion, createDetector: create };
}
