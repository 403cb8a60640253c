import { durationMs } from "../../../../formats/duration.ts";
import { quoted } from "../../../lib/quoted.ts";
import { MAX_DURATION_MS } from "../limits.ts";
import type { Value } from "./value.ts";

/** Milliseconds of a duration such as `1h30m`. */
export function readDuration(value: Value, { isPositive = false, mostMs = MAX_DURATION_MS } = {}): number | undefined {
  const text = value.line();
  if (text === undefined) return undefined;
  const ms = durationMs(text);
  if (ms === undefined) {
    const hint = /^\d+$/.test(text) ? `write ${text}s for seconds` : "write for example 30s, 5m, 1h30m or 2d";
    return value.problem(`${quoted(text)} is no duration: ${hint}.`);
  }
  if (isPositive && ms === 0) return value.problem("is zero: write a duration above it.");
  if (ms > mostMs) return value.problem(`${quoted(text)} is too long: at most ${mostMs / 1_000}s are taken.`);
  return ms;
}
