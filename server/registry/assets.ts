/** The places of sensors as a tree, each with the sensors in it and below. */

import { Turns } from "../lib/turns.ts";
import { type Fleet, NONE } from "./fleet.ts";
import { compareBytes } from "./order.ts";
import { countState, noCounts, STATE_NAMES, type StateCounts } from "./state.ts";

export interface AssetNode {
  readonly path: string;
  /** Levels below the prefix. */
  readonly depth: number;
  readonly counts: StateCounts;
  /** Worst severity of an open alert; 0 where none is open. */
  worst: number;
  hasChildren: boolean;
}

export interface AssetTree {
  /** Each before those in it. */
  readonly nodes: readonly AssetNode[];
  readonly withoutAsset: StateCounts;
}

interface AssetQuery {
  /** The place that the tree begins at; empty: all. */
  readonly prefix: string;
  /** Levels below it. */
  readonly depth: number;
  /** Only sensors whose id begins so. */
  readonly sensorPrefix: string;
  readonly nowUs: number;
}

/** The sensors of one asset. */
interface Sum {
  /** By the number of the state. */
  readonly states: number[];
  worst: number;
}

export async function assetTree(fleet: Fleet, { prefix, depth, sensorPrefix, nowUs }: AssetQuery): Promise<AssetTree> {
  const nodes = new Map<string, AssetNode>([[prefix, nodeOf(prefix, 0)]]);
  const withoutAsset = noCounts();
  for (const [fact, sum] of await sums(fleet, sensorPrefix, nowUs)) {
    const asset = fact === NONE ? "" : fleet.facts.values[fact]!;
    if (!isWithin(asset, prefix)) continue;
    if (fact === NONE) count(withoutAsset, sum);
    for (const [level, path] of placesOf(asset, prefix, depth).entries()) {
      let node = nodes.get(path);
      if (node === undefined) {
        node = nodeOf(path, level);
        nodes.set(path, node);
      }
      count(node.counts, sum);
      node.worst = Math.max(node.worst, sum.worst);
      node.hasChildren ||= asset !== path;
    }
  }
  const keyed = [...nodes.values()].map((node) => ({ node, key: sortable(node.path) }));
  keyed.sort((a, b) => compareBytes(a.key, b.key));
  return { nodes: keyed.map(({ node }) => node), withoutAsset };
}

/** By the fact of the asset: there are fewer of these than sensors. */
async function sums(fleet: Fleet, sensorPrefix: string, nowUs: number): Promise<Map<number, Sum>> {
  const { order } = fleet;
  const found = new Map<number, Sum>();
  const turns = new Turns();
  for (let i = fleet.place(order, sensorPrefix); i < order.length; i++) {
    if (turns.isDue(i)) await turns.take();
    const slot = order[i]!;
    if (sensorPrefix !== "" && !fleet.ids[slot]!.startsWith(sensorPrefix)) break;
    if (!fleet.isRegistered(slot)) continue;
    const asset = fleet.asset[slot]!;
    let sum = found.get(asset);
    if (sum === undefined) {
      sum = { states: STATE_NAMES.map(() => 0), worst: 0 };
      found.set(asset, sum);
    }
    sum.states[fleet.stateOf(slot, nowUs)]!++;
    sum.worst = Math.max(sum.worst, fleet.worst[slot]!);
  }
  return found;
}

function nodeOf(path: string, depth: number): AssetNode {
  return { path, depth, counts: noCounts(), worst: 0, hasChildren: false };
}

function count(counts: StateCounts, { states }: Sum): void {
  for (const [state, times] of states.entries()) if (times > 0) countState(counts, state, times);
}

function isWithin(asset: string, prefix: string): boolean {
  return prefix === "" || asset === prefix || asset.startsWith(`${prefix}/`);
}

/** The prefix and the places below it that lead to the asset, as many levels as are wanted. */
function placesOf(asset: string, prefix: string, depth: number): string[] {
  const places = [prefix];
  let end = prefix.length;
  while (places.length <= depth && end < asset.length) {
    const slash = asset.indexOf("/", end + 1);
    end = slash < 0 ? asset.length : slash;
    places.push(asset.slice(0, end));
  }
  return places;
}

/** A place stands before those in it, and these before its neighbours: no name has the character 0. */
function sortable(path: string): string {
  return path.replaceAll("/", "\0");
}
