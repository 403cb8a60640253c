import {
  expressionSize,
  formatMatcher,
  type Matcher,
  MatcherProblem,
  parseMatchers,
} from "../../../../formats/matchers.ts";
import { MAX_LIST, MAX_NAME } from "../limits.ts";
import type { Fields, Value } from "./value.ts";

/** Names of a set of matchers: today's list, and the two older objects. */
export interface MatcherNames {
  readonly list: string;
  readonly equal: string;
  readonly regex: string;
}

/** All matchers of an object, in an order of their own: the same whatever the order and form in which they were written. */
export function readMatchers(fields: Fields, { list, equal, regex }: MatcherNames): Matcher[] {
  const found = [
    ...readObject(fields.get(equal), "="),
    ...readObject(fields.get(regex), "=~"),
    ...(fields.get(list)?.items() ?? []).flatMap(readItem),
  ];
  if (found.length > MAX_LIST) fields.at.problem(`has ${found.length} matchers: at most ${MAX_LIST} are taken.`);
  return found.sort((a, b) => (formatMatcher(a) < formatMatcher(b) ? -1 : 1));
}

function readObject(value: Value | undefined, operator: "=" | "=~"): Matcher[] {
  return (value?.entries() ?? []).flatMap(([name, each]) => {
    const text = each.text();
    if (text === undefined) return [];
    if (name === "" || name.length > MAX_NAME) each.problem(`a label's name has 1 to ${MAX_NAME} characters.`);
    return checked(each, () => [{ name, operator, value: text }]);
  });
}

function readItem(value: Value): Matcher[] {
  const text = value.text();
  return text === undefined ? [] : checked(value, () => parseMatchers(text));
}

function checked(value: Value, read: () => Matcher[]): Matcher[] {
  try {
    const found = read();
    for (const each of found) value.spend(expressionSize(each));
    return found;
  } catch (error) {
    if (!(error instanceof MatcherProblem)) throw error;
    value.problem(`${error.message}.`);
    return [];
  }
}
