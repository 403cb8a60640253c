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
 * @returns those that failed, in the order of the items
 */
export async function forEach<T>(
  items: readonly T[],
  what: string,
  act: (item: T) => Promise<unknown>,
  atOnce = AT_ONCE,
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
  await Promise.all(Array.from({ length: atOnce }, work));
  return items.flatMap((of) => (failures.has(of) ? [{ of, problem: failures.get(of)! }] : []));
}
