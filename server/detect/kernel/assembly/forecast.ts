/** The forecast: what the readings before lead to, and what is kept of a reading to forecast the next. */
import { weekdayIn } from "./calendar";
import { Profile, Reading, SENSOR_INPUTS, Sensor } from "./layout";
import { squash } from "./numbers";
import { expectMove, updateReadout } from "./readout";
import { halfHourOf, profileAt } from "./season";
import { WARM_READINGS } from "./tables";

/** Completes the inputs taken at the reading before with the time of this one, and forecasts it. */
export function expectNext(s: Sensor, profile: Profile, r: Reading): void {
  const scale = s.forecastScale;
  let season: f64 = 0;
  if (r.before > WARM_READINGS) {
    const last = s.lastTime + s.localOffset;
    const move = profileAt(s, r.halfHour, r.weekday) - profileAt(s, halfHourOf(last), weekdayIn(profile, last));
    season = squash(move / (s.gain * scale));
  }
  s.forecast = s.lastValue + scale * expectMove(s, season);
}

/** Learns from the error of the last forecast and takes the inputs for the next. */
export function prepareNext(s: Sensor, r: Reading): void {
  const n = r.before;
  const value = r.value;
  if (n > 1 && s.incident === 0) updateReadout(s, (value - s.forecast) / s.forecastScale);
  const move = s.move;
  const last = n > 0 ? s.lastValue : value;
  const older = n > 1 ? s.olderValue : last;
  s.olderValue = last;
  const inputs = changetype<usize>(s) + SENSOR_INPUTS;
  // The trunk forecasts a squashed move; its readout learns the rest.
  store<f64>(inputs, r.forecastMove);
  store<f64>(inputs + 8, squash((value - last) / move));
  store<f64>(inputs + 16, squash((last - older) / move));
  store<f64>(inputs + 24, squash((value - s.location) / move));
  store<f64>(
    inputs + 32,
    n > WARM_READINGS ? squash((r.scaled - profileAt(s, r.halfHour, r.weekday)) / (s.gain * move)) : 0,
  );
  s.forecastScale = move;
}
