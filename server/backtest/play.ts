/** A sensor's stored readings and its partition's happenings, put back into the order in which they were judged. */
import { create } from "@bufbuild/protobuf";
import { type DetectorConfig, DetectorConfigSchema } from "../../gen/es/telltale/v1/detector_pb.ts";
import { ControlSchema } from "../../gen/es/telltale/v1/log_pb.ts";
import { MAX_HOLD_MS } from "../pipeline/hold.ts";
import { receivedUsOf, tickOfId } from "../pipeline/ids.ts";
import { MARK_LATE, type Points } from "../store/points.ts";
import type { SeriesRow } from "../store/store.ts";
import { type Act, HappeningCursor, type Happenings } from "./happenings.ts";
import type { SensorReplay } from "./replay.ts";

/** Readings of one sensor in rising order of time; pages follow each other in time. */
export interface Page {
  readonly points: Points;
  /** Series of each point: the same object for the same series, also over pages. */
  readonly series: readonly SeriesRow[];
}

/** Longest time by which a held reading is judged after it came; rows this near a page's end wait for the next page. */
const HELD_US = 2 * MAX_HOLD_MS * 1000;

/**
 * Plays pages and happenings through a replay. Late readings are passed over: they changed nothing. Where readings were held to be
 * put in order, a reading was judged when its time was up, or that of a later one of the same sensor; its place among the
 * happenings is then known to the 8 µs of its id, and where the id clock ran ahead (more than 125,000 readings a second in the
 * partition), to that lead.
 *
 * `until` ends the play before the first reading for which it holds, after what happened before that. `progress` hears how many readings each page had.
 */
export async function play(
  replay: SensorReplay,
  pages: AsyncIterable<Page> | Iterable<Page>,
  happenings: Happenings,
  options: {
    readonly until?: (points: Points, i: number) => boolean;
    readonly progress?: (readings: number) => void | Promise<void>;
  } = {},
): Promise<void> {
  const cursor = new HappeningCursor(happenings);
  const holds = new Holds(happenings.acts);
  const happen = async (due: (tick: number, receivedUs: number) => boolean) => {
    for (let h = cursor.next(due); h !== undefined; h = cursor.next(due)) {
      if (h.kind === "tick") replay.tick(h.at);
      else await replay.act(h.act);
    }
  };
  const take = async (waiting: Waiting, count: number): Promise<boolean> => {
    const judged = holds.none ? undefined : judgedUs(waiting, holds);
    for (let k = 0; k < count; k++) {
      const { page, i } = waiting[k]!;
      const { points } = page;
      const tick = tickOfId(points.id[i]!);
      const at = judged?.[k];
      if (at === undefined || Number.isNaN(at)) {
        if (cursor.nextTick() <= tick) await happen((t) => t <= tick);
      } else await happen((_, receivedUs) => receivedUs < at);
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
    const ready = holds.none ? waiting.length : readyCount(waiting);
    if (!(await take(waiting, ready))) return;
    waiting = ready === waiting.length ? [] : waiting.slice(ready);
    await options.progress?.(page.points.length);
  }
  if (!(await take(waiting, waiting.length))) return;
  await happen(() => true);
  replay.flush();
}

type Waiting = { readonly page: Page; readonly i: number }[];

/** Rows that no later page can make to be judged earlier. */
function readyCount(waiting: Waiting): number {
  const last = waiting.at(-1);
  if (last === undefined) return 0;
  const before = receivedUsOf(last.page.points.id[last.i]!) - HELD_US;
  let ready = waiting.length;
  while (ready > 0) {
    const { page, i } = waiting[ready - 1]!;
    if (receivedUsOf(page.points.id[i]!) < before) break;
    ready--;
  }
  return ready;
}

/** By the log's time, when each was judged; NaN where it was not held: when it came. */
function judgedUs(waiting: Waiting, holds: Holds): Float64Array {
  const at = new Float64Array(waiting.length);
  let earliest = Number.POSITIVE_INFINITY;
  for (let k = waiting.length - 1; k >= 0; k--) {
    const { page, i } = waiting[k]!;
    const id = page.points.id[i]!;
    const holdUs = holds.at(tickOfId(id), page.series[i]!.sensorType);
    earliest = Math.min(earliest, receivedUsOf(id) + holdUs);
    at[k] = holdUs === 0 ? Number.NaN : earliest;
  }
  return at;
}

/** How long readings were held, by the settings of their time. */
class Holds {
  readonly #changes: { readonly tick: number; readonly type: string; readonly us: number | undefined }[] = [];
  readonly none: boolean;

  constructor(acts: readonly Act[]) {
    for (const { tick, control } of acts) {
      if (control.action.case !== "config") continue;
      const { sensorType, reorderHoldMs } = control.action.value;
      const us = reorderHoldMs === undefined ? undefined : Math.min(reorderHoldMs, MAX_HOLD_MS) * 1000;
      this.#changes.push({ tick, type: sensorType, us });
    }
    this.none = this.#changes.every((c) => !c.us);
  }

  at(tick: number, sensorType: string): number {
    let own: number | undefined;
    let all: number | undefined;
    for (const c of this.#changes) {
      if (c.tick > tick) break;
      if (c.type === sensorType) own = c.us;
      if (c.type === "") all = c.us;
    }
    return own ?? all ?? 0;
  }
}

/**
 * The happenings with other settings from the beginning, in place of those of the same sensor type; settings for "" take the place of
 * all. Its reorder hold is passed over: the order in which readings were judged is history.
 */
export function withConfig(happenings: Happenings, config: DetectorConfig): Happenings {
  const acts = happenings.acts.filter(({ control: { action } }) => {
    return action.case !== "config" || (config.sensorType !== "" && action.value.sensorType !== config.sensorType);
  });
  const value = create(DetectorConfigSchema, config);
  const first = create(ControlSchema, { id: "tried", action: { case: "config", value } });
  return { acts: [{ tick: 0, receivedUs: 0, control: first }, ...acts], ticks: happenings.ticks };
}
