/** Functions that change labels. */
import { RE2JS, RE2JSException } from "re2js";
import { expressionBound } from "../../formats/matchers.ts";
import { badQuery, failed } from "./errors.ts";
import { checkLabelName, type Labels } from "./labels.ts";
import { merged, NEW_LABELS, type Row, type Steps } from "./values.ts";

/** As in Go: `$name` takes all letters, digits and underscores. */
const REFERENCE = /\$(?:\$|(\w+)|\{(\w+)\})/g;

/** Instructions of an expression. */
const MAX_PROGRAM = 20_000;
/** Characters of a label's value that is made. */
const MAX_VALUE = 4_096;
/** Characters of all values that one function makes. */
const MAX_MADE = 5_000_000;
/** Instructions of the expression times characters that it looks at at once: some milliseconds. */
const MAX_MATCHING = 1_000_000;

export function* labelReplace(
  rows: readonly Row[],
  [to, template, from, pattern]: readonly [string, string, string, string],
): Steps<Row[]> {
  checkLabelName("label_replace", to);
  const expression = compile(pattern);
  const size = expression.programSize();
  return yield* relabelled(
    rows,
    size,
    (labels) => {
      const given = labels.get(from);
      if (size * given.length > MAX_MATCHING)
        throw failed(`label_replace: the regular expression is too large for values of ${given.length} characters`);
      const matcher = expression.matcher(given);
      if (!matcher.matches()) return undefined;
      const value = template.replace(REFERENCE, (whole, name?: string, braced?: string) => {
        const group = name ?? braced;
        if (group === undefined) return whole === "$$" ? "$" : whole;
        return groupOf(matcher, group);
      });
      return value;
    },
    to,
  );
}

export function* labelJoin(rows: readonly Row[], [to, separator, ...from]: readonly string[]): Steps<Row[]> {
  for (const name of [to!, ...from]) checkLabelName("label_join", name);
  return yield* relabelled(rows, from.length, (labels) => from.map((name) => labels.get(name)).join(separator), to!);
}

/** @param change the new value of the label; undefined: it stays */
function* relabelled(
  rows: readonly Row[],
  cost: number,
  change: (labels: Labels) => string | undefined,
  to: string,
): Steps<Row[]> {
  const changed: Row[] = [];
  let made = 0;
  for (const row of rows) {
    const value = change(row.labels);
    yield NEW_LABELS + cost;
    made += value?.length ?? 0;
    if ((value?.length ?? 0) > MAX_VALUE || made > MAX_MADE)
      throw failed(
        `the label ${to} becomes too long: its values may have ${MAX_VALUE} characters, ${MAX_MADE} together`,
      );
    changed.push(value === undefined ? row : { ...row, labels: row.labels.with(to, value) });
  }
  return yield* merged(changed);
}

/** A group that there is not, or that took no part, is the empty text. */
function groupOf(matcher: ReturnType<RE2JS["matcher"]>, group: string): string {
  const number = /^\d+$/.test(group) ? Number(group) : undefined;
  if (number !== undefined) return number <= matcher.groupCount() ? (matcher.group(number) ?? "") : "";
  return Object.hasOwn(matcher.pattern().namedGroups(), group) ? (matcher.group(group) ?? "") : "";
}

function compile(pattern: string): RE2JS {
  if (expressionBound(pattern) > MAX_PROGRAM) throw badQuery("label_replace: the regular expression is too large");
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw badQuery(`label_replace: ${JSON.stringify(pattern)} is no regular expression of RE2: ${error.message}`);
  }
}
