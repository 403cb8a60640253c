import type { Part } from "./features.ts";

/** Numbers of a step of the trunk: where a value lies and how it moved. */
export const TRUNK_INPUTS = 2;

/** What is known of a type before a sensor of it has spoken. */
export interface TypePrior {
  /** How far normal sensors of the type go beyond their first readings, 1 = as far as the sensors that the cold start was made for. */
  readonly reach: number;
}

/** Weights as in `ml/model/forecaster.json`. Gates in the order input, forget, cell, output (as Keras). */
export interface TrunkModel {
  /** Part of the model version of every score. */
  readonly name: string;
  readonly units: number;
  /** (TRUNK_INPUTS + units) rows of 4·units columns. */
  readonly kernel: readonly number[];
  /** 4·units. */
  readonly bias: readonly number[];
  /** units, and one more for the constant. */
  readonly head: readonly number[];
  /** What is known of sensor types before a sensor has spoken; "" for types that are not named. */
  readonly priors?: Readonly<Record<string, TypePrior>>;
  /** Detectors of the ensemble that speak. Default: all. */
  readonly parts?: readonly Part[];
}
