import { InvalidArgumentError } from "commander";
import { durationMs, durationText } from "../../formats/duration.ts";
import { formatMatcher } from "../../formats/matchers.ts";
import type { Route } from "../../server/notify/index.ts";
import { inert } from "../text.ts";

/** What a route matches. */
export function matchersText({ matchers }: Route): string {
  return matchers.length === 0 ? "everything" : inert(matchers.map(formatMatcher).join(", "));
}

export function groupByText({ groupBy }: Route): string {
  if (groupBy === "all") return "each set of labels apart";
  return groupBy.length === 0 ? "all together" : `by ${groupBy.map(inert).join(", ")}`;
}

/** Bound of the contract, for silences and overrides. */
const MOST_MS = 366 * 86_400_000;

/** Parser of an option in milliseconds, for commander. */
export function durationOption({ leastMs }: { readonly leastMs: number }): (text: string) => number {
  return (text) => {
    const ms = durationMs(text);
    if (ms !== undefined && ms >= leastMs && ms <= MOST_MS) return ms;
    throw new InvalidArgumentError(`Wanted a duration of ${durationText(leastMs)} to 366d, such as 30m, 8h or 2d.`);
  };
}
