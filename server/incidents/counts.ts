/** Openings by epochs of 30 days. What counts are the current epoch and the one before: whole numbers, exact on every machine. */
import { DAY_US } from "../lib/time.ts";
import type { Counts } from "./model.ts";

export const EPOCH_US: number = 30 * DAY_US;

export function epochOf(timeUs: number): number {
  return Math.floor(timeUs / EPOCH_US);
}

/** Of the last 30 to 60 days, seen from the epoch. */
export function totalAt({ epoch, current, previous }: Counts, now: number): number {
  if (epoch === now) return current + previous;
  return epoch === now - 1 ? current : 0;
}

/** Counts an opening of the current epoch or the one before. */
export function count(counts: Counts, of: number, now: number): void {
  if (counts.epoch !== now) {
    counts.previous = counts.epoch === now - 1 ? counts.current : 0;
    counts.current = 0;
    counts.epoch = now;
  }
  if (of === now) counts.current++;
  else counts.previous++;
}
