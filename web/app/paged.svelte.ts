/** A list that is loaded page by page, as far as somebody asks for it. */
import { lifeSignal } from "./life.svelte.ts";
import { isCanceled, type Problem, problemOf } from "./problems.ts";
import { type Resource, resource } from "./resource.svelte.ts";

export interface PageOf<T> {
  readonly items: readonly T[];
  /** "": there are no more. */
  readonly nextPageToken: string;
}

export interface Paged<T> {
  /** What is loaded so far; `reload` begins anew. */
  readonly list: Resource<readonly T[]>;
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  /** Why the page after could not be loaded. */
  readonly moreProblem: Problem | undefined;
  more(): Promise<void>;
}

/** @param what names it in a sentence about a failure */
export function paged<T>(what: string, load: (pageToken: string, signal: AbortSignal) => Promise<PageOf<T>>): Paged<T> {
  const life = lifeSignal();
  let token = $state("");
  let loadingMore = $state(false);
  let moreProblem = $state.raw<Problem>();
  /** Grows when the list begins anew: a page of the list before does not belong to it. */
  let turn = 0;
  const list = resource<readonly T[]>(what, async (signal) => {
    const { items, nextPageToken } = await load("", signal);
    turn++;
    token = nextPageToken;
    moreProblem = undefined;
    return items;
  });
  return {
    list,
    get hasMore() {
      return token !== "";
    },
    get loadingMore() {
      return loadingMore;
    },
    get moreProblem() {
      return moreProblem;
    },
    async more() {
      if (token === "" || loadingMore) return;
      const began = turn;
      loadingMore = true;
      moreProblem = undefined;
      try {
        const { items, nextPageToken } = await load(token, life);
        if (began !== turn) return;
        token = nextPageToken;
        list.set([...(list.value ?? []), ...items]);
      } catch (error) {
        if (!isCanceled(error)) moreProblem = problemOf(error, what);
      } finally {
        loadingMore = false;
      }
    },
  };
}
