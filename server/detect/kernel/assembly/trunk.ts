/**
 * The recurrent trunk of the forecaster: one LSTM cell with trained weights, shared by all sensors, each with a state of its own.
 * From where a value lies and how it moved, it forecasts the next move; a readout per sensor (readout.ts) adapts online. Plain double
 * arithmetic in a fixed order and a rational tanh, so that its bits depend on nothing but the weights; two units at a time.
 */
import { MODEL_HEAD, MODEL_TRUNK } from "./layout";
import { get, getPair, setPair } from "./numbers";
import { model } from "./state";

/** Bytes of a row of weights: four gates of two units. */
const ROW: usize = 64;
/** Hidden values before the step, as doubles. */
const before: usize = memory.data(128, 16);

/** Gates of all units: input, forget, cell and output gates of each two units. */
const gates: usize = memory.data(512, 16);

/**
 * One step of the sensor whose trunk state is at `state`; returns the next move, in usual moves. In three passes over the units, so
 * that no unit's long chain of operations waits for another's.
 */
export function stepTrunk(place: f64, step: f64, state: usize): f64 {
  const pairs: i32 = (model.units + 1) >> 1;
  const cells = state + ((<usize>pairs) << 3);
  for (let u = 0; u < pairs; u++) v128.store(before + ((<usize>u) << 4), getPair(state + ((<usize>u) << 3)));
  weighGates(f64x2.splat(place), f64x2.splat(step), pairs);
  for (let u = 0; u < pairs; u++) {
    const gate = gates + ((<usize>u) << 6);
    const cell = cells + ((<usize>u) << 3);
    const kept = f64x2.mul(sigmoid(v128.load(gate + 16)), getPair(cell));
    setPair(cell, f64x2.add(kept, f64x2.mul(sigmoid(v128.load(gate)), tanh(v128.load(gate + 32)))));
    v128.store(gate + 48, sigmoid(v128.load(gate + 48)));
  }
  for (let u = 0; u < pairs; u++) {
    const out = v128.load(gates + ((<usize>u) << 6) + 48);
    setPair(state + ((<usize>u) << 3), f64x2.mul(out, tanh(getPair(cells + ((<usize>u) << 3)))));
  }
  return forecastOf(state);
}

/** What goes into each gate: bias, inputs and the hidden values before, in this order. */
function weighGates(places: v128, steps: v128, pairs: i32): void {
  let w = changetype<usize>(model) + MODEL_TRUNK;
  const hiddenEnd = before + ((<usize>model.units) << 3);
  for (let u = 0; u < pairs; u++) {
    let i = weigh(w, places, steps);
    let f = weigh(w + 16, places, steps);
    let g = weigh(w + 32, places, steps);
    let o = weigh(w + 48, places, steps);
    w += 3 * ROW;
    for (let at = before; at < hiddenEnd; at += 8, w += ROW) {
      const hidden = v128.load64_splat(at);
      i = f64x2.add(i, f64x2.mul(hidden, v128.load(w)));
      f = f64x2.add(f, f64x2.mul(hidden, v128.load(w + 16)));
      g = f64x2.add(g, f64x2.mul(hidden, v128.load(w + 32)));
      o = f64x2.add(o, f64x2.mul(hidden, v128.load(w + 48)));
    }
    const gate = gates + ((<usize>u) << 6);
    v128.store(gate, i);
    v128.store(gate + 16, f);
    v128.store(gate + 32, g);
    v128.store(gate + 48, o);
  }
}

/** The head: the constant and the weighted hidden values, in their order. */
function forecastOf(state: usize): f64 {
  const head = changetype<usize>(model) + MODEL_HEAD;
  let sum = model.constant;
  for (let u: usize = 0; u < <usize>model.units; u++) sum += load<f64>(head + (u << 3)) * get(state + (u << 2));
  return sum;
}

/** Bias and inputs of a gate. */
function weigh(w: usize, places: v128, steps: v128): v128 {
  const placed = f64x2.add(v128.load(w), f64x2.mul(places, v128.load(w + ROW)));
  return f64x2.add(placed, f64x2.mul(steps, v128.load(w + 2 * ROW)));
}

/** Rational approximation of tanh, absolute error below 5e-7 (coefficients of Eigen's single-precision `ptanh`). */
function tanh(x: v128): v128 {
  // In this order `pmin` and `pmax` keep what is no number.
  const c = f64x2.pmax(f64x2.pmin(x, f64x2.splat(7.9)), f64x2.splat(-7.9));
  const q = f64x2.mul(c, c);
  let p = f64x2.mul(q, f64x2.splat(-2.76076847742355e-16));
  p = f64x2.mul(q, f64x2.add(f64x2.splat(2.00018790482477e-13), p));
  p = f64x2.mul(q, f64x2.add(f64x2.splat(-8.60467152213735e-11), p));
  p = f64x2.mul(q, f64x2.add(f64x2.splat(5.12229709037114e-8), p));
  p = f64x2.mul(q, f64x2.add(f64x2.splat(1.48572235717979e-5), p));
  p = f64x2.mul(q, f64x2.add(f64x2.splat(6.37261928875436e-4), p));
  p = f64x2.mul(c, f64x2.add(f64x2.splat(4.89352455891786e-3), p));
  let r = f64x2.mul(q, f64x2.splat(1.19825839466702e-6));
  r = f64x2.mul(q, f64x2.add(f64x2.splat(1.18534705686654e-4), r));
  r = f64x2.mul(q, f64x2.add(f64x2.splat(2.268434632439e-3), r));
  return f64x2.div(p, f64x2.add(f64x2.splat(4.89352518554385e-3), r));
}

function sigmoid(x: v128): v128 {
  const half = f64x2.splat(0.5);
  return f64x2.add(half, f64x2.mul(half, tanh(f64x2.mul(half, x))));
}
