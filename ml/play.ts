import {
  createDetector,
  createScoreBatch,
  type DetectorOptions,
  type DetectorSettings,
  type ScoreBatch,
} from "../server/detect/index.ts";

/** What a detector said of each reading of a series; rows that were not judged (bad, or not later than before) are zero. */
export interface Played {
  readonly signal: Float32Array;
  readonly score: Uint16Array;
  readonly confidence: Uint16Array;
  readonly anomaly: Uint8Array;
  readonly reason: Uint8Array;
  readonly expected: Float32Array;
  readonly band: Float32Array;
  /** 1 where the reading was judged or at least learnt from. */
  readonly taken: Uint8Array;
}

/** Readings handed to the detector at once. */
const BATCH = 4096;

/** Plays one series through a fresh detector as the only sensor. `progress` is told how many readings are done. */
export function playSeries(
  timeUs: Float64Array,
  value: Float64Array,
  options: DetectorOptions = {},
  progress: (done: number) => void = () => {},
  settings: DetectorSettings = {},
): Played {
  const rows = timeUs.length;
  const played: Played = {
    signal: new Float32Array(rows),
    score: new Uint16Array(rows),
    confidence: new Uint16Array(rows),
    anomaly: new Uint8Array(rows),
    reason: new Uint8Array(rows),
    expected: new Float32Array(rows).fill(Number.NaN),
    band: new Float32Array(rows).fill(Number.NaN),
    taken: new Uint8Array(rows),
  };
  const detector = createDetector(options);
  detector.configure("", settings);
  const batch = createScoreBatch(BATCH);
  batch.slot.fill(detector.addSensor("", ""));
  const row = new Int32Array(BATCH);
  let last = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < rows; ) {
    batch.length = 0;
    for (; at < rows && batch.length < BATCH; at++) {
      if (!(timeUs[at]! > last)) continue;
      last = timeUs[at]!;
      batch.timeUs[batch.length] = last;
      batch.value[batch.length] = value[at]!;
      row[batch.length++] = at;
    }
    detector.score(batch);
    copyOut(batch, row, played);
    progress(at);
  }
  return played;
}

function copyOut(batch: ScoreBatch, row: Int32Array, played: Played): void {
  for (let i = 0; i < batch.length; i++) {
    const to = row[i]!;
    played.signal[to] = batch.signal[i]!;
    played.score[to] = batch.score[i]!;
    played.confidence[to] = batch.confidence[i]!;
    played.anomaly[to] = batch.anomaly[i]!;
    played.reason[to] = batch.reason[i]!;
    played.expected[to] = batch.expected[i]!;
    played.band[to] = batch.band[i]!;
    played.taken[to] = 1;
  }
}
