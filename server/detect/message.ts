import { REASON_DETAILS, REASON_FORECASTER, REASONS } from "./reasons.ts";

/** What an alert's sentence tells of. Score in steps of 1e-4; expected and band NaN where there are none. */
export interface MessageInput {
  readonly score: number;
  readonly value: number;
  readonly unit: string;
  readonly expected: number;
  readonly band: number;
  readonly reason: number;
}

/**
 * The sentence of an alert, for example "Anomaly detected with score 0.9731: value 98.2 C is far above the expected 71.4 (68 to
 * 74.8); value record: the value is outside everything seen so far".
 */
export function alertMessage(input: MessageInput): string {
  const head = `Anomaly detected with score ${(input.score / 10000).toFixed(4)}`;
  const speaker = `${REASONS[input.reason] ?? "detector"}: ${REASON_DETAILS[input.reason] ?? "the reading is abnormal"}`;
  if (!Number.isFinite(input.value)) return `${head}: ${speaker}`;
  const value = `value ${figure(input.value)}${input.unit === "" ? "" : ` ${input.unit}`}`;
  if (!Number.isFinite(input.expected) || !Number.isFinite(input.band)) return `${head}: ${value}; ${speaker}`;
  const low = figure(input.expected - input.band);
  const high = figure(input.expected + input.band);
  const judged = `${head}: ${value} is ${place(input)} the expected ${figure(input.expected)} (${low} to ${high})`;
  // Within an incident what is expected stands still, and the forecaster goes on: a value that returns at once surprises it alone.
  const returned = input.reason === REASON_FORECASTER && Math.abs(input.value - input.expected) <= input.band;
  return `${judged}; ${returned ? "forecaster: the readings before it led elsewhere" : speaker}`;
}

/** A number as people write it: four significant digits, or all those before the point. */
export function figure(x: number): string {
  const size = Math.abs(x);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return x.toExponential(3);
  return String(size >= 1e4 ? Math.round(x) : Number(x.toPrecision(4)));
}

function place(input: MessageInput): string {
  const distance = input.value - input.expected;
  const size = Math.abs(distance);
  if (size <= input.band) return "by itself within the band around";
  const side = distance > 0 ? "above" : "below";
  return size > 3 * input.band ? `far ${side}` : side;
}
