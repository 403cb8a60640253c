/** Compares what a replay gives with what the pages that it was fed with say. */
import type { Rows } from "../scoring/rows.ts";
import { MARK_LATE, type Points } from "../store/points.ts";
import type { Page } from "./rerun.ts";

export class StoredVerdicts {
  /** Pages whose readings have not all been compared. */
  readonly #pages: Points[] = [];
  #at = 0;
  readonly #fromUs: number;
  readonly #toUs: number;
  /** Readings in the range that came out otherwise. */
  changed = 0;
  /** Time of the first reading seen; NaN before. */
  firstUs = Number.NaN;

  constructor(fromUs: number, toUs: number) {
    this.#fromUs = fromUs;
    this.#toUs = toUs;
  }

  async *watch(pages: AsyncIterable<Page>): AsyncGenerator<Page> {
    for await (const page of pages) {
      if (page.points.length > 0) {
        if (Number.isNaN(this.firstUs)) this.firstUs = page.points.timeUs[0]!;
        this.#pages.push(page.points);
      }
      yield page;
    }
  }

  /** The rows come in the order of the pages, without late ones. */
  take({ points }: Rows): void {
    for (let i = 0; i < points.length; i++) {
      const page = this.#next();
      const t = points.timeUs[i]!;
      if (t >= this.#fromUs && t <= this.#toUs && !equal(points, i, page, this.#at)) this.changed++;
      this.#at++;
    }
  }

  #next(): Points {
    for (;;) {
      const page = this.#pages[0]!;
      while (this.#at < page.length && (page.mark[this.#at]! & MARK_LATE) !== 0) this.#at++;
      if (this.#at < page.length) return page;
      this.#pages.shift();
      this.#at = 0;
    }
  }
}

/** Whether two points have bit-identical verdicts. The store keeps the reason of anomalous ones only. */
export function equal(a: Points, i: number, b: Points, k: number): boolean {
  return (
    a.score[i] === b.score[k] &&
    a.confidence[i] === b.confidence[k] &&
    a.anomaly[i] === b.anomaly[k] &&
    (a.anomaly[i] === 0 || a.reason[i] === b.reason[k]) &&
    Object.is(a.expected[i], b.expected[k]) &&
    Object.is(a.band[i], b.band[k])
  );
}
