/**
 * The forecaster's readout: a linear map per sensor from what is known at a reading (the trunk's forecast, the last moves, the
 * distance from the location, the course of the season) to the next move, adapted online by recursive least squares. All in units
 * of the sensor's usual move.
 */
import {
  SENSOR_INPUTS,
  SENSOR_INPUTS_COUNT,
  SENSOR_MATRIX,
  SENSOR_MATRIX_COUNT,
  SENSOR_WEIGHTS,
  Sensor,
} from "./layout";
import { get, set } from "./numbers";

const INPUTS: i32 = SENSOR_INPUTS_COUNT;
/** Old readings fade over about a thousand. */
const FORGET: f64 = 0.999;
/** Errors beyond this many usual moves count as this large: an anomaly must not bend the readout. */
const UPDATE_LIMIT: f64 = 6;
/** Uncertainty of weights nothing is known of, and the most it may grow to while inputs stay flat. */
const START_VARIANCE: f64 = 1;
const MAX_TRACE: f64 = 100;

/** How strongly an error moves each weight, and one cell more, which pairs at the end of a row write to. */
const gain: usize = memory.data(64, 16);

export function startReadout(s: Sensor): void {
  const at = changetype<usize>(s);
  memory.fill(at + SENSOR_WEIGHTS, 0, INPUTS << 3);
  memory.fill(at + SENSOR_INPUTS, 0, INPUTS << 3);
  s.forecastScale = 0;
  s.forecast = 0;
  // Until it has learnt better, a sensor trusts the trunk.
  store<f64>(at + SENSOR_WEIGHTS, 1);
  restart(s);
}

/** The move expected of the next reading, in usual moves, given the season's move, which is known only now. */
export function expectMove(s: Sensor, season: f64): f64 {
  const inputs = changetype<usize>(s) + SENSOR_INPUTS;
  const weights = changetype<usize>(s) + SENSOR_WEIGHTS;
  store<f64>(inputs + ((INPUTS - 1) << 3), season);
  let sum: f64 = 0;
  for (let i = 0; i < INPUTS; i++)
    sum += load<f64>(weights + ((<usize>i) << 3)) * load<f64>(inputs + ((<usize>i) << 3));
  return sum;
}

/** Learns from the error (what came less what was expected, in usual moves) of the inputs taken last. */
export function updateReadout(s: Sensor, error: f64): void {
  const inputs = changetype<usize>(s) + SENSOR_INPUTS;
  const weights = changetype<usize>(s) + SENSOR_WEIGHTS;
  const bounded = max<f64>(-UPDATE_LIMIT, min<f64>(UPDATE_LIMIT, error));
  weighInputs(s);
  let power = FORGET;
  for (let i = 0; i < INPUTS; i++) power += load<f64>(gain + ((<usize>i) << 3)) * load<f64>(inputs + ((<usize>i) << 3));
  const inverse = 1 / power;
  let trace: f64 = 0;
  let at = changetype<usize>(s) + SENSOR_MATRIX;
  for (let i = 0; i < INPUTS; i++) {
    const k = load<f64>(gain + ((<usize>i) << 3)) * inverse;
    const weight = weights + ((<usize>i) << 3);
    store<f64>(weight, load<f64>(weight) + k * bounded);
    const diagonal = (get(at) - k * load<f64>(gain + ((<usize>i) << 3))) * (1 / FORGET);
    trace += diagonal > 0 ? diagonal : Infinity;
    for (let j = i; j < INPUTS; j++, at += 4)
      set(at, (get(at) - k * load<f64>(gain + ((<usize>j) << 3))) * (1 / FORGET));
  }
  // Flat inputs blow the matrix up, rounding can make it indefinite: then it starts again, with the weights kept.
  if (!(trace < MAX_TRACE)) restart(s);
}

/** The matrix times the inputs: each sum in the order of the inputs. */
function weighInputs(s: Sensor): void {
  const inputs = changetype<usize>(s) + SENSOR_INPUTS;
  let at = changetype<usize>(s) + SENSOR_MATRIX;
  for (let i = 0; i < INPUTS; i++) store<f64>(gain + ((<usize>i) << 3), 0);
  for (let i = 0; i < INPUTS; i++) {
    const xi = load<f64>(inputs + ((<usize>i) << 3));
    let sum = load<f64>(gain + ((<usize>i) << 3)) + get(at) * xi;
    at += 4;
    for (let j = i + 1; j < INPUTS; j++, at += 4) {
      const cell = get(at);
      sum += cell * load<f64>(inputs + ((<usize>j) << 3));
      const other = gain + ((<usize>j) << 3);
      store<f64>(other, load<f64>(other) + cell * xi);
    }
    store<f64>(gain + ((<usize>i) << 3), sum);
  }
}

function restart(s: Sensor): void {
  const matrix = changetype<usize>(s) + SENSOR_MATRIX;
  const weights = changetype<usize>(s) + SENSOR_WEIGHTS;
  memory.fill(matrix, 0, SENSOR_MATRIX_COUNT << 2);
  for (let i = 0, at = matrix; i < INPUTS; at += (<usize>(INPUTS - i)) << 2, i++) {
    set(at, START_VARIANCE);
    if (!isFinite(load<f64>(weights + ((<usize>i) << 3)))) store<f64>(weights + ((<usize>i) << 3), 0);
  }
}
