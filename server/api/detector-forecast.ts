import type { HandlerContext } from "@connectrpc/connect";
import { counted } from "../../formats/counted.ts";
import { type DetectorConfig, type ForecastRequest, SignalKind } from "../../gen/es/telltale/v1/detector_pb.ts";
import type { Forecasted } from "../backtest/jobs.ts";
import type { BacktestRunner } from "../backtest/runner.ts";
import { duration } from "../detect/index.ts";
import { TelltaleError } from "../errors.ts";
import type { Crossing, Limit } from "../forecast/crossing.ts";
import { quoted } from "../lib/quoted.ts";
import { HOUR_US, toTimestamp } from "../lib/time.ts";
import { canAccessSensor } from "../security/principal.ts";
import type { Queries } from "../store/queries.ts";
import { principalOf } from "./principal.ts";
import { invalid, toMessages } from "./query.ts";

const DEFAULT_HOURS = 24;
const DEFAULT_POINTS = 48;

interface ForecastOptions {
  readonly queries: Queries;
  readonly runner: BacktestRunner;
  /** The settings in force for a sensor. */
  readonly settingsOf: (sensorId: string, context: HandlerContext) => Promise<{ readonly config: DetectorConfig }>;
}

/** Where a sensor is heading: its history is replayed in a thread of its own. */
export function createForecast(o: ForecastOptions) {
  return async ({ sensorId, hours, points }: ForecastRequest, context: HandlerContext) => {
    const principal = principalOf(context);
    const missing = () => new TelltaleError("not_found", `sensor ${quoted(sensorId)} has no reading`);
    if (!canAccessSensor(principal, sensorId)) throw missing();
    const [reading] = toMessages(await o.queries.latest([sensorId], principal.sensorPrefix));
    if (reading === undefined) throw missing();
    const { config } = await o.settingsOf(sensorId, context);
    const aheadUs = (hours ?? DEFAULT_HOURS) * HOUR_US;
    const job = {
      kind: "forecast",
      ...{ sensorId, aheadUs, points: points ?? DEFAULT_POINTS, limits: limitsOf(config) },
    } as const;
    const found = await o.runner.forecast(job, context.signal);
    if (found.judgesRate) {
      const isSet = config.counter !== undefined || config.signalKind === SignalKind.COUNTER;
      const by = isSet ? "by its settings" : "as its readings show";
      throw invalid("sensor_id", `${quoted(sensorId)} is a counter ${by}: there are no forecasts of counters`);
    }
    return {
      ...{ sensorId, unit: reading.unit, from: toTimestamp(found.newestUs) },
      points: found.points.map(pointOf),
      crossings: found.crossings.map(toCrossing),
      basis: basisOf(found, aheadUs),
    };
  };
}

function limitsOf({ rangeMin, rangeMax }: DetectorConfig): Limit[] {
  const limits = [
    { setting: "range_min", value: rangeMin },
    { setting: "range_max", value: rangeMax },
  ] as const;
  return limits.flatMap(({ setting, value }) => (value === undefined ? [] : [{ setting, value }]));
}

function pointOf({ timeUs, quantiles }: Forecasted["points"][number]) {
  const [expected, lower50, upper50, lower80, upper80, lower95, upper95] = quantiles;
  return {
    time: toTimestamp(Math.round(timeUs)),
    ...{ expected: expected!, lower50: lower50!, upper50: upper50!, lower80: lower80! },
    ...{ upper80: upper80!, lower95: lower95!, upper95: upper95! },
  };
}

function toCrossing({ setting, limit, probability, earliestUs, expectedUs, latestUs }: Crossing) {
  const at = (us: number) => toTimestamp(Math.round(us));
  return {
    ...{ setting, limit, probability, earliest: at(earliestUs) },
    ...(expectedUs === undefined ? {} : { expected: at(expectedUs) }),
    ...(latestUs === undefined ? {} : { latest: at(latestUs) }),
  };
}

function basisOf({ readings, checked, farthestUs }: Forecasted, aheadUs: number): string {
  if (farthestUs === 0) {
    return `None: ${counted(readings, "reading")} that the detector has judged are too few for a forecast.`;
  }
  const from = `Computed from its newest ${counted(readings, "reading")}; intervals follow from ${checked} and more earlier forecasts.`;
  if (farthestUs >= aheadUs) return from;
  return `${from} The history reaches for ${duration(farthestUs)} ahead: it has to be four times as long as a forecast.`;
}
