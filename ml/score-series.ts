import {
  createDetector,
  createScoreBatch,
  type DetectorOptions,
  type DetectorSettings,
  type ScoreBatch,
} from "../server/detect/index.ts";

/** Scores of each reading of a series; rows that were not judged (bad, or not later than before) are zero. */
export interface SeriesScores {
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

/** Runs one series through a fresh detector as the only sensor. `progress` gets the number of readings done. */
export function scoreSeries(
  timeUs: Float64Array,
  value: Float64Array,
  options: DetectorOptions = {},
  progress: (done: number) => void = () => {},
  settings: DetectorSettings = {},
): SeriesScores {
  const rows = timeUs.length;
  const scores: SeriesScores = {
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
    copyOut(batch, row, scores);
    progress(at);
  }
  return scores;
}

function copyOut(batch: ScoreBatch, row: Int32Array, scores: SeriesScores): void {
  for (let i = 0; i < batch.length; i++) {
    const to = row[i]!;
    scores.signal[to] = batch.signal[i]!;
    scores.score[to] = batch.score[i]!;
    scores.confidence[to] = batch.confidence[i]!;
    scores.anomaly[to] = batch.anomaly[i]!;
    scores.reason[to] = batch.reason[i]!;
    scores.expected[to] = batch.expected[i]!;
    scores.band[to] = batch.band[i]!;
    scores.taken[to] = 1;
  }
}

/** A reading of one of several series, in the order of time. */
export interface FileReading {
  readonly timeUs: number;
  readonly value: number;
  readonly series: number;
  readonly line: number;
}

/** The score of a row; undefined where it is not later than the reading before, and was not judged. */
export interface Verdict {
  readonly line: number;
  readonly scored?: {
    readonly signal: number;
    readonly score: number;
    readonly confidence: number;
    readonly anomaly: number;
    readonly reason: number;
    readonly expected: number;
    readonly band: number;
  };
}

/** Runs readings through a fresh detector, each series as a sensor of its own, with memory for a batch of them. */
export async function* scoreReadings(
  readings: AsyncIterable<FileReading>,
  options: DetectorOptions = {},
): AsyncGenerator<Verdict> {
  const detector = createDetector(options);
  const batch = createScoreBatch(BATCH);
  const slots = new Map<number, { slot: number; lastUs: number }>();
  let lines: { line: number; row: number }[] = [];
  function* flush(): Generator<Verdict> {
    detector.score(batch);
    for (const { line, row } of lines) yield row < 0 ? { line } : { line, scored: verdictAt(batch, row) };
    batch.length = 0;
    lines = [];
  }
  for await (const { timeUs, value, series, line } of readings) {
    let own = slots.get(series);
    if (own === undefined) {
      own = { slot: detector.addSensor("", ""), lastUs: Number.NEGATIVE_INFINITY };
      slots.set(series, own);
    }
    if (timeUs > own.lastUs) {
      own.lastUs = timeUs;
      batch.slot[batch.length] = own.slot;
      batch.timeUs[batch.length] = timeUs;
      batch.value[batch.length] = value;
      lines.push({ line, row: batch.length++ });
    } else lines.push({ line, row: -1 });
    if (lines.length === BATCH) yield* flush();
  }
  yield* flush();
}

function verdictAt(batch: ScoreBatch, i: number): NonNullable<Verdict["scored"]> {
  return {
    signal: batch.signal[i]!,
    score: batch.score[i]!,
    confidence: batch.confidence[i]!,
    anomaly: batch.anomaly[i]!,
    reason: batch.reason[i]!,
    expected: batch.expected[i]!,
    band: batch.band[i]!,
  };
}
