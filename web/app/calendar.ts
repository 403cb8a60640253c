/** A month as weeks of days, in a time zone, and what stands on each day. Months are written as in the address: 2026-11. */
import { partsOf } from "./format.ts";

export interface Day {
  /** 2026-11-04. */
  readonly date: string;
  readonly day: number;
  /** Days of the weeks that begin or end the month. */
  readonly isOther: boolean;
}

const DAY_MS = 86_400_000;
const DAYS_A_WEEK = 7;

/** The month of a moment. */
export function monthOf(ms: number, zone: string): string {
  return dateOf(ms, zone).slice(0, 7);
}

/** The day of a moment. */
export function dateOf(ms: number, zone: string): string {
  const { year, month, day } = partsOf(ms, zone);
  return `${year}-${month}-${day}`;
}

export function isMonth(text: string): boolean {
  return /^(?:19|2\d)\d\d-(?:0[1-9]|1[0-2])$/.test(text);
}

/** @param by months, back where negative */
export function monthFrom(month: string, by: number): string {
  const [year, number] = month.split("-").map(Number);
  return new Date(Date.UTC(year!, number! - 1 + by, 1)).toISOString().slice(0, 7);
}

/** Weeks from Monday to Sunday. Days are counted in UTC, where each has 24 hours: what a zone does to its clocks changes no date. */
export function weeksOf(month: string): Day[][] {
  const first = Date.parse(`${month}-01`);
  const end = Date.parse(`${monthFrom(month, 1)}-01`);
  const monday = first - ((new Date(first).getUTCDay() + 6) % DAYS_A_WEEK) * DAY_MS;
  const weeks: Day[][] = [];
  for (let start = monday; start < end; start += DAYS_A_WEEK * DAY_MS)
    weeks.push(Array.from({ length: DAYS_A_WEEK }, (_, i) => dayOf(start + i * DAY_MS, month)));
  return weeks;
}

function dayOf(ms: number, month: string): Day {
  const date = new Date(ms).toISOString().slice(0, 10);
  return { date, day: Number(date.slice(8)), isOther: !date.startsWith(month) };
}

/** Whether something is on a day; what ends at midnight is over by then. */
export function isOn(date: string, { from, to }: { from: number; to: number }, zone: string): boolean {
  return dateOf(from, zone) <= date && date <= dateOf(Math.max(from, to - 1), zone);
}

/** When a clock in the zone shows this, such as 2026-11-04T06:30; undefined where that is no time. The first of two, where clocks go back. */
export function momentOf(local: string, zone: string): number | undefined {
  const asUtc = Date.parse(`${local}Z`);
  if (Number.isNaN(asUtc)) return undefined;
  const shownAt = (ms: number) => {
    const { year, month, day, hour, minute, second } = partsOf(ms, zone);
    return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  };
  // The offset at the guess, then at the answer: they differ within a day of a change of the clocks.
  const guesses = [asUtc - DAY_MS, asUtc, asUtc + DAY_MS].map((near) => asUtc - (shownAt(near) - near));
  return guesses.find((ms) => shownAt(ms) === asUtc) ?? guesses[1];
}

/** The opposite, to the minute, as a field of a form has it. */
export function localOf(ms: number, zone: string): string {
  const { year, month, day, hour, minute } = partsOf(ms, zone);
  return `${year}-${month}-${day}T${hour}:${minute}`;
}
