/**
 * Keys of routes: their matchers and those above them. Other edits of the tree leave a route's key as it is, so that what was told of its
 * groups is still known after them.
 */
import { createHash } from "node:crypto";
import { formatMatcher, type Matcher } from "../../../../formats/matchers.ts";

export const ROOT_KEY = "{}";
/** Characters. Keys are part of each group's key, and so of an index: longer ones end in a hash. */
const MAX_KEY = 500;
const KEPT = 400;

/** The keys of the routes below one, each of its own: of several with the same matchers the later ones are numbered. */
export function childKeys(parent: string, children: readonly (readonly Matcher[])[]): string[] {
  const seen = new Map<string, number>();
  return children.map((matchers) => {
    const text = `${parent}/{${matchers.map(formatMatcher).join(",")}}`;
    const before = seen.get(text) ?? 0;
    seen.set(text, before + 1);
    return shortened(before === 0 ? text : `${text}~${before + 1}`);
  });
}

/** The text, or its beginning and a hash where it is long. */
export function shortened(text: string): string {
  if (text.length <= MAX_KEY) return text;
  return `${text.slice(0, KEPT)}…${createHash("sha256").update(text).digest("hex")}`;
}
