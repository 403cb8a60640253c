/** One sensor after another, block by block: history judged again, and its blocks written with the new scores. */

import { SensorReplay } from "../backtest/replay.ts";
import { type Page, rerun } from "../backtest/rerun.ts";
import type { Timeline } from "../backtest/timeline.ts";
import type { Detector } from "../detect/index.ts";
import type { Rows } from "../scoring/rows.ts";
import { BLOCK_LAYOUT, decodeBlock, encodeBlock, maxBlockBytes } from "../store/block.ts";
import { COLD_LAYOUT, encodeCold, maxColdBytes } from "../store/cold.ts";
import { copyPoint, createPoints, decimalsOf, MARK_LATE, type Points } from "../store/points.ts";
import type { SeriesRow } from "../store/store.ts";

/** Readings judged at once; what is open of one sensor is not much more. */
const PAGE_READINGS = 65_536;

/** A stored block. Those of one sensor come together, in the order of their first times. */
export interface SourceBlock {
  readonly partition: number;
  readonly seriesId: number;
  readonly series: SeriesRow;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly firstId: number;
  readonly points: number;
  /** False where it is only history before what is wanted. */
  readonly wanted: boolean;
  readonly data: Uint8Array;
}

/** The same block with other scores. */
export interface RescoredBlock {
  readonly seriesId: number;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly points: number;
  readonly anomalies: number;
  readonly data: Buffer;
}

export interface RescoreOptions {
  /** A fresh one for each sensor. */
  readonly createDetector: () => Detector;
  readonly timeline: (partition: number) => Promise<Timeline>;
  /** Called with each wanted block when all of it is judged. */
  readonly emit: (block: RescoredBlock) => Promise<void> | void;
}

/** Judges the sensors' histories again. Memory holds one sensor's state and the blocks of a page. */
export async function rescore(blocks: AsyncIterable<SourceBlock>, options: RescoreOptions): Promise<void> {
  let partition = -1;
  let timeline: Timeline | undefined;
  for await (const sensor of bySensor(blocks)) {
    if (timeline === undefined || sensor.first.partition !== partition) {
      partition = sensor.first.partition;
      timeline = await options.timeline(partition);
    }
    const open = new OpenBlocks(options.emit);
    const replay = new SensorReplay({
      detector: options.createDetector(),
      partition,
      onRows: (rows) => open.judged(rows),
    });
    await rerun(replay, open.pages(sensor.blocks), timeline);
    await open.finish();
  }
}

export interface Sensor {
  readonly first: SourceBlock;
  readonly blocks: AsyncIterable<SourceBlock>;
}

/** Cuts the blocks into sensors; each is read to its end before the next. */
export async function* bySensor(blocks: AsyncIterable<SourceBlock>): AsyncGenerator<Sensor> {
  const source = blocks[Symbol.asyncIterator]();
  let next = await source.next();
  while (!next.done) {
    const first = next.value;
    yield {
      first,
      blocks: {
        async *[Symbol.asyncIterator]() {
          while (!next.done && next.value.series.sensorId === first.series.sensorId) {
            yield next.value;
            next = await source.next();
          }
        },
      },
    };
    while (!next.done && next.value.series.sensorId === first.series.sensorId) next = await source.next();
  }
}

/** A block that is not judged to its end. */
interface OpenBlock {
  readonly source: SourceBlock;
  readonly points: Points;
  /** Readings not judged yet. */
  left: number;
}

/** Where a reading came from. */
interface Place {
  readonly block: OpenBlock;
  readonly i: number;
}

/** One sensor's blocks on their way through the scorer. Without `emit` they are only read. */
export class OpenBlocks {
  readonly #emit: RescoreOptions["emit"] | undefined;
  /** In rising order of time; not yet in a page. */
  #pending: Place[] = [];
  /** Readings in pages that are not late, in the order in which they are judged; judged up to `#head`. */
  #queue: Place[] = [];
  #head = 0;
  readonly #unfinished: OpenBlock[] = [];
  readonly #series = new Map<number, SeriesRow>();

  constructor(emit?: RescoreOptions["emit"]) {
    this.#emit = emit;
  }

  async *pages(blocks: AsyncIterable<SourceBlock>): AsyncGenerator<Page> {
    for await (const source of blocks) {
      if (this.#pending.length >= PAGE_READINGS) {
        // Later blocks begin no earlier than this one.
        const page = this.#page(source.firstUs);
        if (page.points.length > 0) yield page;
        await this.#emitFinished();
      }
      this.#add(source);
    }
    yield this.#page(Number.POSITIVE_INFINITY);
  }

  #add(source: SourceBlock): void {
    const points = createPoints(source.points);
    decodeBlock(source.data, source.firstUs, source.firstId, points);
    const block: OpenBlock = { source, points, left: 0 };
    if (this.#emit !== undefined) this.#unfinished.push(block);
    const known = this.#series.get(source.seriesId);
    if (known === undefined) this.#series.set(source.seriesId, source.series);
    const last = this.#pending.at(-1);
    const inOrder = last === undefined || timeOf(last) < source.firstUs;
    for (let i = 0; i < points.length; i++) {
      if ((points.mark[i]! & MARK_LATE) === 0) block.left++;
      this.#pending.push({ block, i });
    }
    if (!inOrder) this.#pending.sort((a, b) => timeOf(a) - timeOf(b));
  }

  /** Pending readings before `untilUs`. */
  #page(untilUs: number): Page {
    let count = this.#pending.length;
    while (count > 0 && timeOf(this.#pending[count - 1]!) >= untilUs) count--;
    const points = createPoints(count);
    const series: SeriesRow[] = [];
    for (const place of this.#pending.slice(0, count)) {
      copyPoint(place.block.points, place.i, points);
      series.push(this.#series.get(place.block.source.seriesId)!);
      const late = (place.block.points.mark[place.i]! & MARK_LATE) !== 0;
      if (this.#emit !== undefined && !late) this.#queue.push(place);
    }
    this.#pending = this.#pending.slice(count);
    return { points, series };
  }

  judged({ points: p }: Rows): void {
    for (let k = 0; k < p.length; k++) {
      const { block, i } = this.#queue[this.#head++]!;
      const to = block.points;
      if (to.timeUs[i] !== p.timeUs[k]) throw new Error(`reading ${to.id[i]} was judged out of its order`);
      to.confidence[i] = p.confidence[k]!;
      to.score[i] = p.score[k]!;
      to.reason[i] = p.reason[k]!;
      to.anomaly[i] = p.anomaly[k]!;
      to.expected[i] = p.expected[k]!;
      to.band[i] = p.band[k]!;
      block.left--;
    }
  }

  async #emitFinished(): Promise<void> {
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
    // Blocks in which only late readings are come to their turn with what is around them.
    while (this.#unfinished[0]?.left === 0) {
      const { source, points } = this.#unfinished.shift()!;
      if (source.wanted) await this.#emit?.(encoded(source, points));
    }
  }

  async finish(): Promise<void> {
    await this.#emitFinished();
    const [waiting] = this.#unfinished;
    if (waiting !== undefined)
      throw new Error(`${waiting.left} readings of ${waiting.source.series.sensorId} were not judged`);
  }
}

function timeOf({ block, i }: Place): number {
  return block.points.timeUs[i]!;
}

/** In the layout that the block had. */
function encoded(source: SourceBlock, points: Points): RescoredBlock {
  const n = points.length;
  const layout = source.data[0];
  const out = Buffer.allocUnsafe(layout === COLD_LAYOUT ? maxColdBytes(n) : maxBlockBytes(n));
  let end: number;
  if (layout === COLD_LAYOUT) end = encodeCold(points, 0, n, decimalsOf(points.value, 0, n), out, 0);
  else if (layout === BLOCK_LAYOUT) end = encodeBlock(points, 0, n, out, 0);
  else throw new RangeError(`block has layout ${layout}, this program writes ${BLOCK_LAYOUT} and ${COLD_LAYOUT}`);
  let anomalies = 0;
  for (let i = 0; i < n; i++) anomalies += points.anomaly[i]!;
  const { seriesId, firstUs, lastUs } = source;
  return { seriesId, firstUs, lastUs, points: n, anomalies, data: out.subarray(0, end) };
}
