/** The tree of places: each is asked for what is in it when it is opened, and again after alert events. */
import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { countsOf, NO_ASSET, type Place, placeOf, placesAbove } from "./assets.ts";
import { isCanceled, type Problem, problemOf } from "./problems.ts";
import { registryApi } from "./services/registry.ts";

export class AssetTree {
  /** What is in each place that was asked; "": the top. */
  readonly children = new SvelteMap<string, readonly Place[]>();
  readonly open = new SvelteSet<string>();
  problem = $state.raw<Problem>();
  readonly #signal: AbortSignal;
  #isFirst = true;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether there is any place to choose. */
  get isThere(): boolean {
    return (this.children.get("") ?? []).some(({ path }) => path !== NO_ASSET);
  }

  /** With a place in sight, and all that is open. */
  async load(path: string): Promise<void> {
    if (path !== "" && path !== NO_ASSET) for (const above of placesAbove(path)) this.open.add(above);
    await Promise.all(["", ...this.open].map((each) => this.#ask(each)));
    // Where all are in one place, what is in it is the choice.
    const [only, ...others] = this.children.get("") ?? [];
    if (this.#isFirst && only !== undefined && others.length === 0) await this.toggle(only, true);
    this.#isFirst = false;
  }

  async toggle({ path, hasChildren }: Place, open = !this.open.has(path)): Promise<void> {
    if (!hasChildren) return;
    if (!open) this.open.delete(path);
    else {
      this.open.add(path);
      if (!this.children.has(path)) await this.#ask(path);
    }
  }

  async #ask(prefix: string): Promise<void> {
    try {
      const { nodes, withoutAsset } = await registryApi.getAssetTree({ prefix, depth: 1 }, { signal: this.#signal });
      const places = nodes.filter(({ depth }) => depth === 1).map(placeOf);
      const nowhere = prefix === "" && (withoutAsset?.total ?? 0n) > 0n;
      this.children.set(prefix, nowhere && withoutAsset ? [...places, nowhereOf(countsOf(withoutAsset))] : places);
      this.problem = undefined;
    } catch (error) {
      if (!isCanceled(error)) this.problem = problemOf(error, "Assets");
    }
  }
}

function nowhereOf(counts: ReturnType<typeof countsOf>): Place {
  return { path: NO_ASSET, name: "without an asset", hasChildren: false, worst: undefined, ...counts };
}
