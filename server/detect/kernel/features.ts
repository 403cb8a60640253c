import {
  REASON_FORECASTER,
  REASON_HELD,
  REASON_MEAN24,
  REASON_MEAN96,
  REASON_PATTERN,
  REASON_RARE,
  REASON_SCATTER,
  REASON_SEASON,
  REASON_STUCK,
  REASON_VALUE,
} from "../reasons.ts";

/** Groups of detectors, to judge each alone. */
export type Part = "records" | "season" | "forecaster" | "patterns" | "stuck";
export const PARTS: readonly Part[] = ["records", "season", "forecaster", "patterns", "stuck"];

/** A feature of a reading that may be strange. */
export interface Feature {
  readonly name: string;
  readonly group: Part;
  /** Index into REASONS of the detector that speaks for it. */
  readonly reason: number;
  /** Which values are strange: beyond either end of the range so far, above it, or any: the feature is a distance already. */
  readonly sides: "both" | "above" | "distance";
  /** The same of a sensor of two states, where it is another one. */
  readonly reasonOfStates?: number;
}

/** The kernel's table of features (assembly/tables.ts is made from it). Its order is that of extremes and labels in the saved state. */
export const FEATURES: readonly Feature[] = [
  { name: "value", group: "records", reason: REASON_VALUE, sides: "both" },
  { name: "mean24", group: "records", reason: REASON_MEAN24, sides: "both" },
  { name: "mean96", group: "records", reason: REASON_MEAN96, sides: "both" },
  { name: "season", group: "season", reason: REASON_SEASON, sides: "both" },
  { name: "rarity", group: "patterns", reason: REASON_RARE, sides: "above" },
  { name: "residual", group: "forecaster", reason: REASON_FORECASTER, sides: "above" },
  { name: "scatter", group: "forecaster", reason: REASON_SCATTER, sides: "above" },
  { name: "stuck", group: "stuck", reason: REASON_STUCK, sides: "above", reasonOfStates: REASON_HELD },
  { name: "pattern", group: "patterns", reason: REASON_PATTERN, sides: "distance" },
];
