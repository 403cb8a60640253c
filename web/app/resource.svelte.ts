/** What a page loads: its value, or why there is none. Reads of state in `load` before its first await make it load anew. */
import { isCanceled, type Problem, problemOf } from "./problems.ts";

export interface Resource<T> {
  /** The last that was loaded; it stays while the next is under way. */
  readonly value: T | undefined;
  readonly problem: Problem | undefined;
  readonly loading: boolean;
  reload(): void;
  /** Puts a newer value in its place, for example the answer of a change. */
  set(value: T): void;
}

/** @param what names it in a sentence about a failure, for example "Alerts" */
export function resource<T>(what: string, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  let value = $state.raw<T>();
  let problem = $state.raw<Problem>();
  let loading = $state(true);
  let turn = $state(0);
  $effect(() => {
    void turn;
    const ending = new AbortController();
    loading = true;
    load(ending.signal).then(
      (loaded) => {
        if (ending.signal.aborted) return;
        value = loaded;
        problem = undefined;
        loading = false;
      },
      (error: unknown) => {
        if (ending.signal.aborted || isCanceled(error)) return;
        problem = problemOf(error, what);
        loading = false;
      },
    );
    return () => ending.abort();
  });
  return {
    get value() {
      return value;
    },
    get problem() {
      return problem;
    },
    get loading() {
      return loading;
    },
    reload: () => turn++,
    set: (next) => {
      value = next;
    },
  };
}
