import type { TestContext } from "vitest";

/** What a test needs of a package registry; where it cannot be had, for example without a network, the test is skipped with the reason. */
export async function fetched<T>({ skip }: TestContext, name: string, fetch: () => Promise<T>): Promise<T> {
  try {
    return await fetch();
  } catch (error) {
    // Of a program that failed, the first line names it, and the second says why.
    const [first, why = first] = error instanceof Error ? error.message.split("\n").filter(Boolean) : [String(error)];
    return skip(`[needs ${name}, which cannot be fetched here: ${why}]`);
  }
}
