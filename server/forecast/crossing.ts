/** When a limit will be crossed, by forecasts in order of time. */
import type { Forecast } from "./forecaster.ts";

export interface Limit {
  readonly setting: "range_min" | "range_max";
  readonly value: number;
}

export interface Crossing {
  readonly setting: Limit["setting"];
  readonly limit: number;
  /** At the time when it is most probable. */
  readonly probability: number;
  /** When it is beyond the limit with a probability of 2.5, 50 and 97.5 %. */
  readonly earliestUs: number;
  readonly expectedUs: number | undefined;
  readonly latestUs: number | undefined;
}

const EARLIEST = 0.025;

/** Undefined where it is improbable for all times. */
export function crossingOf(
  forecasts: readonly Pick<Forecast, "timeUs" | "above">[],
  { setting, value }: Limit,
): Crossing | undefined {
  const chance = (forecast: Pick<Forecast, "above">) => {
    const above = forecast.above(value);
    return setting === "range_max" ? above : 1 - above;
  };
  const from = (least: number) => forecasts.find((forecast) => chance(forecast) >= least)?.timeUs;
  const earliestUs = from(EARLIEST);
  if (earliestUs === undefined) return undefined;
  const probability = Math.max(...forecasts.map(chance));
  return { setting, limit: value, probability, earliestUs, expectedUs: from(0.5), latestUs: from(1 - EARLIEST) };
}
