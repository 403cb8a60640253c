/** Stored readings as samples of PromQL. */

import type { Matcher } from "../../../formats/matchers.ts";
import { MAX_TIME_US } from "../../../formats/time.ts";
import { failed } from "../../promql/errors.ts";
import type { SampleSource } from "../../promql/evaluate.ts";
import { MAX_QUERY_SAMPLES, MAX_QUERY_SERIES } from "../../promql/limits.ts";
import type { Samples } from "../../promql/values.ts";
import type { Points } from "../../store/points.ts";
import type { Queries } from "../../store/queries.ts";
import type { FoundSeries, Range, SeriesFinder } from "./select.ts";

const FIRST_CAPACITY = 64;

/** Of one query. */
export class StoredSamples implements SampleSource {
  readonly #finder: SeriesFinder;
  readonly #queries: Pick<Queries, "readSeries">;
  readonly #signal: AbortSignal;
  #loaded = 0;

  constructor(finder: SeriesFinder, queries: Pick<Queries, "readSeries">, signal: AbortSignal) {
    this.#finder = finder;
    this.#queries = queries;
    this.#signal = signal;
  }

  async select(matchers: readonly Matcher[], { fromMs, toMs }: { fromMs: number; toMs: number }): Promise<Samples[]> {
    const range = rangeOf(fromMs, toMs);
    if (range.toUs <= range.fromUs) return [];
    const { found, isCut } = await this.#finder.find(matchers, range, MAX_QUERY_SERIES);
    if (isCut) throw failed(`a selector chooses more than ${MAX_QUERY_SERIES} series: add labels to it`);
    const buffers = found.map(() => new Buffer64());
    await this.#queries.readSeries(
      found.map(({ series }) => ({ series, ...range })),
      (part, points, lowUs, highUs) => this.#take(found[part]!, buffers[part]!, points, lowUs, highUs),
    );
    return found.flatMap(({ labels }, i) => {
      const { timesMs, values } = buffers[i]!.inOrder();
      return timesMs.length === 0 ? [] : [{ labels, timesMs, values }];
    });
  }

  #take({ value }: FoundSeries, into: Buffer64, points: Points, lowUs: number, highUs: number): void {
    this.#signal.throwIfAborted();
    const before = into.length;
    for (let i = 0; i < points.length; i++) {
      const timeUs = points.timeUs[i]!;
      if (timeUs < lowUs || timeUs >= highUs) continue;
      const number = value(points, i);
      if (!Number.isNaN(number)) into.push(timeUs / 1_000, number);
    }
    this.#loaded += into.length - before;
    if (this.#loaded > MAX_QUERY_SAMPLES)
      throw failed(
        `the query would load more than ${MAX_QUERY_SAMPLES} samples into memory: choose fewer series or a shorter range`,
      );
  }
}

/** Whole microseconds within (fromMs, toMs] that a reading can have. */
export function rangeOf(fromMs: number, toMs: number): Range {
  const us = (ms: number) => Math.min(Math.max(Math.floor(ms * 1_000) + 1, 0), MAX_TIME_US);
  return { fromUs: us(fromMs), toUs: us(toMs) };
}

/** Samples as they are found. */
class Buffer64 {
  length = 0;
  #timesMs = new Float64Array(FIRST_CAPACITY);
  #values = new Float64Array(FIRST_CAPACITY);
  #isRising = true;

  push(timeMs: number, value: number): void {
    if (this.length === this.#timesMs.length) {
      this.#timesMs = doubled(this.#timesMs);
      this.#values = doubled(this.#values);
    }
    if (this.length > 0 && timeMs <= this.#timesMs[this.length - 1]!) this.#isRising = false;
    this.#timesMs[this.length] = timeMs;
    this.#values[this.length++] = value;
  }

  /** Each time once: of several readings the one that was found last. */
  inOrder(): { timesMs: Float64Array; values: Float64Array } {
    const timesMs = this.#timesMs.subarray(0, this.length);
    const values = this.#values.subarray(0, this.length);
    if (this.#isRising) return { timesMs, values };
    const order = Array.from(timesMs.keys()).sort((a, b) => timesMs[a]! - timesMs[b]! || a - b);
    const kept = order.filter((i, place) => place + 1 === order.length || timesMs[order[place + 1]!] !== timesMs[i]);
    return { timesMs: Float64Array.from(kept, (i) => timesMs[i]!), values: Float64Array.from(kept, (i) => values[i]!) };
  }
}

function doubled(numbers: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(2 * numbers.length);
  larger.set(numbers);
  return larger;
}
