/** Assets that sensors belong to, as a tree of which only some is open. */

import { Severity } from "../../gen/web/telltale/v1/reading_pb.ts";
import type { AssetNode, SensorStateCounts } from "../../gen/web/telltale/v1/registry_pb.ts";
import { escaped } from "./matchers.ts";
import { type SeverityName, severityName } from "./severity.ts";

export interface Asset {
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

/** In the address, for sensors that belong nowhere: no asset has an empty name. */
export const NO_ASSET = "/";

export function assetOf({ path, name, hasChildren, counts, worstSeverity }: AssetNode): Asset {
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
  readonly asset: Asset;
  /** From 1. */
  readonly level: number;
}

/** What is seen of the tree, from the top: each asset, and what is in it where it is open. */
export function linesOf(children: ReadonlyMap<string, readonly Asset[]>, open: ReadonlySet<string>): readonly Line[] {
  const below = (path: string, level: number): Line[] =>
    (children.get(path) ?? []).flatMap((asset) => [
      { asset, level },
      ...(open.has(asset.path) ? below(asset.path, level + 1) : []),
    ]);
  return below("", 1);
}

/** All assets that lead to one, without it: "a/b/c" is in "a" and "a/b". */
export function assetsAbove(path: string): string[] {
  const names = path.split("/");
  return names.slice(1).map((_, i) => names.slice(0, i + 1).join("/"));
}

/** For sensors of the asset and of all below it. */
export function assetMatcher(path: string): string {
  return path === NO_ASSET ? 'asset=""' : `asset=~${JSON.stringify(`${escaped(path)}(/.*)?`)}`;
}
