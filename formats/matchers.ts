/**
 * Matchers as Alertmanager has them: `name="value"`, `!=`, `=~`, `!~`. They choose sensors in lists, and alerts for receivers. Regular
 * expressions are RE2's: whatever a caller writes, they take time in proportion to the text.
 */
import { RE2JS, RE2JSException } from "re2js";
import { formatMatcher, type Matcher, type MatcherOperator, matcherProblem, OPERATORS } from "./matcher-text.ts";
import { type Literals, literalsOf, mayFit } from "./regex-literals.ts";

export {
  formatMatcher,
  type Matcher,
  type MatcherOperator,
  MatcherProblem,
  parseMatchers,
} from "./matcher-text.ts";

/** Instructions of a compiled expression. (Repetitions within repetitions are RE2's own to refuse: past a thousand it does.) */
const MAX_PROGRAM = 20_000;
/** The flag that callers give most. */
const ANY_CASE = "(?i)";

/** What the operators mean. */
const MEANINGS = {
  "=": { isEqual: true, isRegex: false },
  "!=": { isEqual: false, isRegex: false },
  "=~": { isEqual: true, isRegex: true },
  "!~": { isEqual: false, isRegex: true },
} as const satisfies Record<MatcherOperator, { isEqual: boolean; isRegex: boolean }>;

/** The operator that means this. */
export function operatorOf({ isEqual, isRegex }: { isEqual: boolean; isRegex: boolean }): MatcherOperator {
  return OPERATORS.find((each) => MEANINGS[each].isEqual === isEqual && MEANINGS[each].isRegex === isRegex)!;
}

/** Whether the operator is one that excludes: a name matches where none of its values does. */
export function excludes({ operator }: Pick<Matcher, "operator">): boolean {
  return !MEANINGS[operator].isEqual;
}

/** Whether the value is a regular expression. */
export function isExpression({ operator }: Pick<Matcher, "operator">): boolean {
  return MEANINGS[operator].isRegex;
}

/**
 * Whether a value is the matcher's, or fits its expression as a whole; for those that exclude too, where it is the opposite that matches.
 *
 * @throws MatcherProblem where the regular expression is none
 */
export function valueTest(matcher: Matcher): (value: string) => boolean {
  const { value: wanted } = matcher;
  if (!isExpression(matcher)) return (value) => value === wanted;
  const expression = compile(matcher);
  const anyCase = wanted.startsWith(ANY_CASE);
  const literals = literalsOf(anyCase ? wanted.slice(ANY_CASE.length) : wanted);
  if (literals === undefined) return (value) => expression.test(value);
  if (anyCase) return anyCaseTest(expression, literals);
  const texts = new Set(literals.required);
  if (literals.exact) return (value) => texts.has(value);
  return (value) => mayFit(literals, value) && expression.test(value);
}

/**
 * Whether what has these values of the matcher's name matches. No value is the empty text.
 *
 * @param fits of the same matcher, where it has been made
 * @throws MatcherProblem where the regular expression is none
 */
export function matcherTest(matcher: Matcher, fits = valueTest(matcher)): (values: readonly string[]) => boolean {
  const wanted = !excludes(matcher);
  return (values) => (values.length === 0 ? fits("") : values.some(fits)) === wanted;
}

/**
 * Instructions of the matcher's compiled expression; 0 where it is a text.
 *
 * @throws MatcherProblem where the regular expression is none
 */
export function expressionSize(matcher: Matcher): number {
  return isExpression(matcher) ? compile(matcher).programSize() : 0;
}

/** Classes of Unicode have hundreds of ranges. */
const UNICODE_CLASS = /\\p/gi;
const UNICODE_SIZE = 50;
const PIECE = /\\p(?:\{[^}]*\}|.)|\\.|\[(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|./gis;

/** Instructions that the expression compiles to at most, about: found without compiling it, which may take seconds. */
export function expressionBound(expression: string): number {
  /** By open parentheses, what is in them so far. */
  const sizes = [0];
  let last = 0;
  const add = (size: number) => {
    last = size;
    sizes.push(sizes.pop()! + size);
  };
  for (const [piece, least, most] of expression.matchAll(PIECE)) {
    if (least !== undefined) add(last * Math.max(Number(most || least), 1));
    else if (piece === "(") sizes.push(1);
    else if (piece === ")" && sizes.length > 1) add(sizes.pop()!);
    else add(1 + UNICODE_SIZE * (piece.match(UNICODE_CLASS)?.length ?? 0));
  }
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Outside of ASCII letters have more than two cases: what is there is for the expression alone. */
function anyCaseTest(expression: RE2JS, { required, exact }: Literals): (value: string) => boolean {
  const folded = { required: required.map((text) => text.toLowerCase()), exact };
  if (!required.every(isAscii)) return (value) => expression.test(value);
  return (value) => (!isAscii(value) || mayFit(folded, value.toLowerCase())) && expression.test(value);
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

function compile(matcher: Matcher): RE2JS {
  const { value } = matcher;
  const text = formatMatcher(matcher);
  if (value.includes("{") && expressionBound(value) > MAX_PROGRAM) throw matcherProblem(text, "is too large");
  try {
    // By itself first: what closes a bracket too many must not fit into the one around it.
    RE2JS.compile(value);
    const expression = RE2JS.compile(`^(?:${value})$`);
    if (expression.programSize() > MAX_PROGRAM) throw matcherProblem(text, "is too large");
    return expression;
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw matcherProblem(text, `is no regular expression of RE2: ${error.message}`);
  }
}
