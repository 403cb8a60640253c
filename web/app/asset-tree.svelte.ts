/** The tree of assets: each is asked for what is in it when it is opened, and again after alert events. */
import { SvelteMap, SvelteSet } from "svelte/reactivity";
import { type Asset, assetOf, assetsAbove, countsOf, NO_ASSET } from "./assets.ts";
import { isCanceled, type Problem, problemOf } from "./problems.ts";
import { registryApi } from "./services/registry.ts";

export class AssetTree {
  /** What is in each asset that was asked; "": the top. */
  readonly children = new SvelteMap<string, readonly Asset[]>();
  readonly open = new SvelteSet<string>();
  problem = $state.raw<Problem>();
  readonly #signal: AbortSignal;
  /** The newest question of each asset: an older answer that comes later says what was. */
  readonly #asked = new Map<string, symbol>();
  #isFirst = true;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Whether there is any asset to choose. */
  get isThere(): boolean {
    return (this.children.get("") ?? []).some(({ path }) => path !== NO_ASSET);
  }

  /** Opens what leads to an asset. */
  async reveal(path: string): Promise<void> {
    const above = path === NO_ASSET ? [] : assetsAbove(path);
    for (const each of above) this.open.add(each);
    await this.#askAll(["", ...above].filter((each) => !this.children.has(each)));
    // Where all are in one asset, what is in it is the choice.
    const [only, ...others] = this.children.get("") ?? [];
    if (this.#isFirst && only !== undefined && others.length === 0) await this.toggle(only, true);
    this.#isFirst = false;
  }

  /** What is in all that is open, as it is now. */
  load(): Promise<void> {
    return this.#askAll(["", ...this.open]);
  }

  async toggle({ path, hasChildren }: Asset, open = !this.open.has(path)): Promise<void> {
    if (!hasChildren) return;
    if (!open) this.open.delete(path);
    else {
      this.open.add(path);
      if (!this.children.has(path)) await this.#askAll([path]);
    }
  }

  async #askAll(prefixes: readonly string[]): Promise<void> {
    if (prefixes.length === 0) return;
    const problems = await Promise.all(prefixes.map((each) => this.#ask(each)));
    if (!this.#signal.aborted) this.problem = problems.find((each) => each !== undefined);
  }

  /** @returns why not */
  async #ask(prefix: string): Promise<Problem | undefined> {
    const turn = Symbol();
    this.#asked.set(prefix, turn);
    try {
      const { nodes, withoutAsset } = await registryApi.getAssetTree({ prefix, depth: 1 }, { signal: this.#signal });
      if (this.#asked.get(prefix) !== turn) return undefined;
      const assets = nodes.filter(({ depth }) => depth === 1).map(assetOf);
      const nowhere = prefix === "" && (withoutAsset?.total ?? 0n) > 0n;
      this.children.set(prefix, nowhere && withoutAsset ? [...assets, nowhereOf(countsOf(withoutAsset))] : assets);
      return undefined;
    } catch (error) {
      return isCanceled(error) ? undefined : problemOf(error, "Assets");
    }
  }
}

function nowhereOf(counts: ReturnType<typeof countsOf>): Asset {
  return { path: NO_ASSET, name: "without an asset", hasChildren: false, worst: undefined, ...counts };
}
