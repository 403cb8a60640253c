import { MAX_BLOCK_POINTS } from "./points.ts";

/** A block that is there already. */
export interface Existing {
  readonly firstUs: number;
  readonly lastUs: number;
  readonly points: number;
}

/** New points [from, to) and existing blocks [firstBlock, endBlock) that become blocks together. */
export interface Run {
  readonly from: number;
  readonly to: number;
  readonly firstBlock: number;
  readonly endBlock: number;
}

/** A block this many times as large as what comes to it is left alone: each point is then rewritten a few times, not each hour. */
const WORTH_TIMES = 2;

/**
 * Sorts the new points of one series and day in among its blocks: a block in whose span a new point lies is rewritten, one that is
 * not full and not much larger than what comes next to it is filled up. Nothing of one run lies inside another block.
 *
 * `timeUs` is rising from `from` to `to`; `existing` is in order and does not overlap.
 */
export function planDay(timeUs: Float64Array, from: number, to: number, existing: readonly Existing[]): Run[] {
  const n = existing.length;
  // Slot 2j is the gap before block j, slot 2j + 1 the block; ends[slot] is the end of its new points.
  const ends = new Array<number>(2 * n + 1);
  let i = from;
  for (let j = 0; j < n; j++) {
    while (i < to && timeUs[i]! < existing[j]!.firstUs) i++;
    ends[2 * j] = i;
    while (i < to && timeUs[i]! <= existing[j]!.lastUs) i++;
    ends[2 * j + 1] = i;
  }
  ends[2 * n] = to;
  const begin = (slot: number) => (slot === 0 ? from : ends[slot - 1]!);
  const fresh = (slot: number) => ends[slot]! - begin(slot);

  const runs: Run[] = [];
  /** Blocks before this one are in runs already. */
  let free = 0;
  for (let slot = 0; slot <= 2 * n; slot++) {
    if (fresh(slot) === 0) continue;
    let first = slot >> 1;
    let end = slot & 1 ? first + 1 : first;
    let size = fresh(slot) + (slot & 1 ? existing[first]!.points : 0);
    const worth = (j: number) => existing[j]!.points < MAX_BLOCK_POINTS && existing[j]!.points <= WORTH_TIMES * size;
    while (first > free && worth(first - 1)) {
      first--;
      size += existing[first]!.points;
    }
    // Forward: points next to the run belong to it, blocks as far as they are touched or worth it.
    let last = slot;
    for (let next = slot + 1; next <= 2 * n; next++) {
      const j = next >> 1;
      if ((next & 1) === 0) {
        size += fresh(next);
      } else {
        if (fresh(next) === 0 && !worth(j)) break;
        size += fresh(next) + existing[j]!.points;
        end = j + 1;
      }
      last = next;
    }
    runs.push({ from: begin(slot), to: ends[last]!, firstBlock: first, endBlock: end });
    free = end;
    slot = last;
  }
  return runs;
}
