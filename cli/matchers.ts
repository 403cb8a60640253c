import { InvalidArgumentError } from "commander";
import { type Matcher, MatcherProblem, parseMatchers } from "../formats/matchers.ts";

/** Parser of an argument that is given several times, with one or more matchers each, for commander. */
export function readMatchers(text: string, before: readonly Matcher[] = []): Matcher[] {
  try {
    return [...before, ...parseMatchers(text)];
  } catch (error) {
    if (error instanceof MatcherProblem) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
