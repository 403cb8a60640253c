/** Places that sensors belong to, as a tree of which only some is open. */

import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import type { AssetNode, SensorStateCounts } from "../../gen/web/telltale/v1/registry_pb.ts";
import { escaped } from "./matchers.ts";
import { type SeverityName, severityName } from "./severity.ts";

export interface Place {
  /** For example "site-1/line-3". */
  readonly path: string;
  readonly name: string;
  readonly hasChildren: boolean;
  readonly sensors: number;
  readonly alerting: number;
  readonly stale: number;
  /** Undefined: no alert is open. */
  readonly worst: SeverityName | undefined;
}

/** In the address, for sensors that belong nowhere: no place has an empty name. */
export const NO_ASSET = "/";

export function placeOf({ path, name, hasChildren, counts, worstSeverity }: AssetNode): Place {
  const worst = worstSeverity === Severity.UNSPECIFIED ? undefined : severityName(worstSeverity);
  return { path, name, hasChildren, worst, ...countsOf(counts) };
}

export function countsOf(counts: SensorStateCounts | undefined) {
  return {
    sensors: Number(counts?.total ?? 0n),
    alerting: Number(counts?.alerting ?? 0n),
    stale: Number(counts?.stale ?? 0n),
  };
}

export interface Line {
  readonly place: Place;
  /** From 1. */
  readonly level: number;
}

/** What is seen of the tree, from the top: each place, and what is in it where it is open. */
export function linesOf(children: ReadonlyMap<string, readonly Place[]>, open: ReadonlySet<string>): readonly Line[] {
  const below = (path: string, level: number): Line[] =>
    (children.get(path) ?? []).flatMap((place) => [
      { place, level },
      ...(open.has(place.path) ? below(place.path, level + 1) : []),
    ]);
  return below("", 1);
}

/** All places that lead to one, without it: "a/b/c" is in "a" and "a/b". */
export function placesAbove(path: string): string[] {
  const names = path.split("/");
  return names.slice(1).map((_, i) => names.slice(0, i + 1).join("/"));
}

/** For sensors of the place and of all below it. */
export function assetMatcher(path: string): string {
  return path === NO_ASSET ? 'asset=""' : `asset=~${JSON.stringify(`${escaped(path)}(/.*)?`)}`;
}
