/** The subset of JSONPath that the rules know: `$`, `.name`, `['name']`, `[0]`. Pure. */

export type JsonPath = readonly (string | number)[];

const STEP = /\.([A-Za-z_][\w-]*)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]/y;
const MAX_STEPS = 32;

/** The steps of a path, or undefined where it is none. */
export function parsePath(text: string): JsonPath | undefined {
  if (!text.startsWith("$")) return undefined;
  const steps: (string | number)[] = [];
  STEP.lastIndex = 1;
  while (STEP.lastIndex < text.length) {
    const found = STEP.exec(text);
    if (found === null || steps.length === MAX_STEPS) return undefined;
    const [, name, index, single, double] = found;
    steps.push(index === undefined ? (name ?? single ?? double ?? "") : Number(index));
  }
  return steps;
}

/** What the path leads to; undefined where there is nothing. */
export function valueAt(root: unknown, path: JsonPath): unknown {
  let at = root;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return undefined;
    if (Array.isArray(at) !== (typeof step === "number")) return undefined;
    if (!Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
