import type { Kernel } from "./kernel/kernel.ts";
import { TRUNK_AT } from "./kernel/layout.ts";
import { TRUNK_INPUTS } from "./kernel/trunk-model.ts";
import type { TrunkRuntime } from "./trunk.ts";

/** Takes `count` rows through the kernel with the trunk in a runtime of its own. No two rows are of one sensor. */
export function stepOutside(kernel: Kernel, trunk: TrunkRuntime, count: number): void {
  kernel.call.observe(count);
  const { f32, columns } = kernel.views;
  const { units } = trunk.model;
  const cells = units + (units & 1);
  const taken = Array.from({ length: count }, (_, i) => i).filter((i) => columns.taken[i] === 1);
  const input = new Float32Array(taken.length * TRUNK_INPUTS);
  const state = new Float32Array(taken.length * 2 * units);
  const output = new Float32Array(taken.length);
  const hiddenOf = (i: number) => (columns.sensor[i]! + TRUNK_AT) >>> 2;
  taken.forEach((i, k) => {
    input[k * TRUNK_INPUTS] = columns.place[i]!;
    input[k * TRUNK_INPUTS + 1] = columns.step[i]!;
    const hidden = hiddenOf(i);
    state.set(f32.subarray(hidden, hidden + units), 2 * k * units);
    state.set(f32.subarray(hidden + cells, hidden + cells + units), (2 * k + 1) * units);
  });
  trunk.step(taken.length, input, state, output);
  taken.forEach((i, k) => {
    const hidden = hiddenOf(i);
    f32.set(state.subarray(2 * k * units, (2 * k + 1) * units), hidden);
    f32.set(state.subarray((2 * k + 1) * units, (2 * k + 2) * units), hidden + cells);
    columns.forecastMove[i] = output[k]!;
  });
  kernel.call.judge(count);
}
