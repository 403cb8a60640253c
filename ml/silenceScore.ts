import { createDetector, createScoreBatch } from "../server/detect/index.ts";
import { Random } from "./random.ts";

/** Silence by ticks: sensors of several regularities stop for three intervals (three readings missing). */
const SENSORS = 24;
const INTERVAL_US = 60e6;
const READINGS = 2000;
const MISSING = 3;
const START_US = 1_704_067_200e6;
const TICK_US = 1e6;

export interface SilenceResult {
  readonly recall: number;
  /** Median time from the first missing reading to the word, in intervals. */
  readonly delay: number;
  readonly falsePerSensorDay: number;
}

export function scoreSilence(): SilenceResult {
  const detector = createDetector();
  const batch = createScoreBatch(SENSORS);
  const random = new Random(5);
  const next: number[] = [];
  const left: number[] = [];
  const missed = new Float64Array(SENSORS);
  for (let s = 0; s < SENSORS; s++) {
    detector.addSensor("", "");
    next.push(START_US + random.next() * INTERVAL_US);
    left.push(READINGS);
  }
  let falseWords = 0;
  const delays: number[] = [];
  const jitter = (s: number) => (s % 4) * 0.15 * (random.next() - 0.5);
  const end = START_US + (READINGS + 10) * INTERVAL_US;
  for (let now = START_US; now < end; now += TICK_US) {
    batch.length = 0;
    for (let s = 0; s < SENSORS; s++) {
      if (next[s]! > now || left[s]! < 0) continue;
      batch.slot[batch.length] = s;
      batch.timeUs[batch.length] = next[s]!;
      batch.value[batch.length++] = 20 + random.next();
      left[s]!--;
      const stopped = left[s] === Math.floor(READINGS / 3);
      if (stopped) missed[s] = next[s]! + INTERVAL_US;
      next[s] = next[s]! + INTERVAL_US * ((stopped ? MISSING + 1 : 1) + jitter(s));
    }
    detector.score(batch);
    for (const slot of detector.tick(now)) {
      const met =
        missed[slot]! > 0 && next[slot]! > now && now > missed[slot]! && now < missed[slot]! + MISSING * INTERVAL_US;
      if (met) delays.push((now - missed[slot]!) / INTERVAL_US);
      else if (left[slot]! > 0) falseWords++;
    }
  }
  delays.sort((a, b) => a - b);
  const days = (SENSORS * READINGS * INTERVAL_US) / 86_400e6;
  return {
    recall: delays.length / SENSORS,
    delay: delays[delays.length >> 1] ?? Number.NaN,
    falsePerSensorDay: falseWords / days,
  };
}
