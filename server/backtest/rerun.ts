/** Re-runs a sensor's stored readings and its partition's timeline in the order in which they were judged. */
import { receivedUsOf, tickOfId } from "../log/id-clock.ts";
import { MAX_REORDER_MS } from "../scoring/reorder-buffer.ts";
import { MARK_LATE, type Points } from "../store/points.ts";
import type { SeriesRow } from "../store/store.ts";
import { BufferTimes } from "./buffer-times.ts";
import type { SensorReplay } from "./replay.ts";
import { type Timeline, TimelineCursor } from "./timeline.ts";

/** Readings of one sensor in rising order of time; pages follow each other in time. */
export interface Page {
  readonly points: Points;
  /** Series of each point: the same object for the same series, also over pages. */
  readonly series: readonly SeriesRow[];
}

/** Longest time by which a buffered reading is judged after it arrived; rows this near a page's end wait for the next page. */
const BUFFERED_US = 2 * MAX_REORDER_MS * 1000;

/**
 * Runs pages and timeline through a replay. Late readings are skipped: they changed nothing. Where readings were buffered to be
 * put in order, a reading was judged when its time was up, or that of a later one of the same sensor; its place in the
 * timeline is then known to the 8 µs of its id, and where the id clock ran ahead (more than 125,000 readings a second in the
 * partition), to that lead.
 *
 * `until` ends the run before the first reading for which it is true, after the entries before that. `progress` gets the number of readings of each page.
 */
export async function rerun(
  replay: SensorReplay,
  pages: AsyncIterable<Page> | Iterable<Page>,
  timeline: Timeline,
  options: {
    readonly until?: (points: Points, i: number) => boolean;
    readonly progress?: (readings: number) => void | Promise<void>;
  } = {},
): Promise<void> {
  const cursor = new TimelineCursor(timeline);
  const buffering = new BufferTimes(timeline.logged ?? timeline.controls);
  const advance = async (due: (tick: number, receivedUs: number) => boolean) => {
    for (let entry = cursor.next(due); entry !== undefined; entry = cursor.next(due)) {
      if (entry.kind === "tick") replay.tick(entry.at, timeline.ticks.unbroken);
      else await replay.control(entry.event);
    }
  };
  const take = async (waiting: Waiting, count: number): Promise<boolean> => {
    const judged = buffering.none ? undefined : judgedUs(waiting, buffering);
    for (let k = 0; k < count; k++) {
      const { page, i } = waiting[k]!;
      const { points } = page;
      const tick = tickOfId(points.id[i]!);
      const at = judged?.[k];
      if (at === undefined || Number.isNaN(at)) {
        if (cursor.nextTick() <= tick) await advance((t) => t <= tick);
      } else await advance((_, receivedUs) => receivedUs < at);
      if (options.until?.(points, i)) return false;
      replay.reading(page.series[i]!, points.timeUs[i]!, points.value[i]!, points.id[i]!, points.mark[i]!);
    }
    return true;
  };
  let waiting: Waiting = [];
  for await (const page of pages) {
    for (let i = 0; i < page.points.length; i++) {
      if ((page.points.mark[i]! & MARK_LATE) === 0) waiting.push({ page, i });
    }
    const ready = buffering.none ? waiting.length : readyCount(waiting);
    if (!(await take(waiting, ready))) return;
    waiting = ready === waiting.length ? [] : waiting.slice(ready);
    await options.progress?.(page.points.length);
  }
  if (!(await take(waiting, waiting.length))) return;
  await advance(() => true);
  replay.flush();
}

type Waiting = { readonly page: Page; readonly i: number }[];

/** Rows that no later page can make to be judged earlier. */
function readyCount(waiting: Waiting): number {
  const last = waiting.at(-1);
  if (last === undefined) return 0;
  const before = receivedUsOf(last.page.points.id[last.i]!) - BUFFERED_US;
  let ready = waiting.length;
  while (ready > 0) {
    const { page, i } = waiting[ready - 1]!;
    if (receivedUsOf(page.points.id[i]!) < before) break;
    ready--;
  }
  return ready;
}

/** By the log's time, when each was judged; NaN where it was not buffered: on arrival. */
function judgedUs(waiting: Waiting, buffering: BufferTimes): Float64Array {
  const at = new Float64Array(waiting.length);
  let earliest = Number.POSITIVE_INFINITY;
  for (let k = waiting.length - 1; k >= 0; k--) {
    const { page, i } = waiting[k]!;
    const id = page.points.id[i]!;
    const bufferUs = buffering.at(tickOfId(id), page.series[i]!);
    earliest = Math.min(earliest, receivedUsOf(id) + bufferUs);
    at[k] = bufferUs === 0 ? Number.NaN : earliest;
  }
  return at;
}
