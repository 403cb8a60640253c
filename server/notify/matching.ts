import { isExpression, type Matcher, matcherTest } from "../../formats/matchers.ts";

export type Labels = Readonly<Record<string, string>>;

/**
 * Whether labels match all of the matchers. A label that is missing is the empty text.
 *
 * @throws MatcherProblem where a regular expression is none
 */
export function labelsTest(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  // Expressions last: a text that differs is found sooner.
  const ordered = matchers.toSorted((a, b) => Number(isExpression(a)) - Number(isExpression(b)));
  const tests = ordered.map((matcher) => {
    const matches = matcherTest(matcher);
    return (labels: Labels) => matches([labelOf(labels, matcher.name)]);
  });
  return (labels) => tests.every((test) => test(labels));
}

/** "" where there is none. */
export function labelOf(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? labels[name]! : "";
}
