/** The same to each of several: what fails is told by name, and does not stop the rest. */
import { type Problem, problemOf } from "./problems.ts";

export interface Failure<T> {
  readonly of: T;
  readonly problem: Problem;
}

/** Calls under way at once: a browser has six connections, and the page needs some. */
const AT_ONCE = 3;

/**
 * @param what names the act in a sentence about a failure
 * @param hurry once it is aborted all that is left begins at once, such as when the page goes and has no later
 * @returns those that failed, in the order of the items
 */
export async function forEach<T>(
  items: readonly T[],
  what: string,
  act: (item: T) => Promise<unknown>,
  hurry?: AbortSignal,
): Promise<Failure<T>[]> {
  const failures = new Map<T, Problem>();
  const waiting = [...items];
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      try {
        await act(item);
      } catch (error) {
        failures.set(item, problemOf(error, what));
      }
    }
  };
  const begin = (many: number) => Promise.all(Array.from({ length: many }, work));
  let rest: Promise<unknown> | undefined;
  const rush = () => (rest = begin(waiting.length));
  hurry?.addEventListener("abort", rush, { once: true });
  await begin(hurry?.aborted ? waiting.length : AT_ONCE);
  hurry?.removeEventListener("abort", rush);
  await rest;
  return items.flatMap((of) => (failures.has(of) ? [{ of, problem: failures.get(of)! }] : []));
}
