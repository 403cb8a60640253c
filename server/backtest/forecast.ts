/** The future of one sensor, from a replay of its history: what is known at its newest reading, and how far off forecasts were before. */
import { crossingOf } from "../forecast/crossing.ts";
import { Forecaster } from "../forecast/forecaster.ts";
import { horizonsOf } from "../forecast/horizons.ts";
import { begin } from "./alerts-since.ts";
import { only, type ShortOptions } from "./explain.ts";
import { EXPLAIN_READINGS, FORECAST_READINGS, type Forecasted, type ForecastJob } from "./jobs.ts";
import { SensorReplay } from "./replay.ts";
import { rerun } from "./rerun.ts";

export async function runForecast({ history, job, createDetector }: ShortOptions<ForecastJob>): Promise<Forecasted> {
  const sensor = await only(history, job.sensorId);
  const { newestUs } = sensor;
  const fromUs = await begin(history, sensor, newestUs, EXPLAIN_READINGS);
  const checkedUs = await begin(history, sensor, newestUs, FORECAST_READINGS);
  const spanUs = newestUs - Math.max(checkedUs, sensor.firstUs);
  const usualUs = spanUs / Math.max(1, Math.min(sensor.readings, FORECAST_READINGS) - 1);
  const detector = createDetector();
  const replay = new SensorReplay({ detector, partition: sensor.partition });
  const seasonal = (timeUs: number) => {
    replay.flush();
    return detector.sensors === 0 ? Number.NaN : detector.seasonal(0, timeUs);
  };
  const forecaster = new Forecaster(horizonsOf(job.aheadUs, usualUs));
  await rerun(replay, history.pages(sensor, fromUs, newestUs), await history.timeline(sensor.partition), {
    until: ({ timeUs, value }, i) => {
      // What a sensor says in a maintenance window is no outcome, and nothing follows from it.
      const counts = detector.sensors === 0 || !detector.isMaintained(0, timeUs[i]!);
      if (counts && timeUs[i]! >= checkedUs) forecaster.reading(timeUs[i]!, value[i]!, seasonal);
      return false;
    },
  });
  // A short history is forecast for a shorter time, by as many points; and less far where the newest readings do not count.
  const farthestUs = Math.max(0, forecaster.farthestUs - (newestUs - forecaster.lastUs));
  const reachUs = Math.min(job.aheadUs, farthestUs);
  const points = reachUs === 0 ? 0 : job.points;
  const times = Array.from({ length: points }, (_, i) => newestUs + Math.floor(((i + 1) * reachUs) / points));
  const forecasts = forecaster.forecasts(times, seasonal);
  return {
    newestUs,
    points: forecasts.map(({ timeUs, quantile }) => ({ timeUs, quantiles: QUANTILES.map(quantile) })),
    crossings: job.limits.flatMap((limit) => crossingOf(forecasts, limit) ?? []),
    readings: forecaster.readings,
    checked: forecaster.checked,
    farthestUs,
    judgesRate: detector.sensors > 0 && detector.judgesRate(0),
  };
}

/** Expected, then lower and upper end of the intervals of 50, 80 and 95 %. */
const QUANTILES = [0.5, 0.25, 0.75, 0.1, 0.9, 0.025, 0.975];
