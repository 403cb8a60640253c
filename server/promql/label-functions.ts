/** Functions that change labels. */
import { RE2JS, RE2JSException } from "re2js";
import { badQuery, failed } from "./errors.ts";
import { type Labels, METRIC_NAME } from "./labels.ts";
import { merged, type Row } from "./values.ts";

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_.]*$/;
/** As in Go: `$name` takes all letters, digits and underscores. */
const REFERENCE = /\$(?:\$|(\w+)|\{(\w+)\})/g;

export function labelReplace(
  rows: readonly Row[],
  [to, template, from, pattern]: readonly [string, string, string, string],
): Row[] {
  checkName("label_replace", to);
  const expression = compile(pattern);
  return relabelled(rows, (labels) => {
    const matcher = expression.matcher(labels.get(from));
    if (!matcher.matches()) return labels;
    const value = template.replace(REFERENCE, (whole, name?: string, braced?: string) => {
      const group = name ?? braced;
      if (group === undefined) return whole === "$$" ? "$" : whole;
      return groupOf(matcher, group);
    });
    return labels.with(to, value);
  });
}

export function labelJoin(rows: readonly Row[], [to, separator, ...from]: readonly string[]): Row[] {
  checkName("label_join", to!);
  return relabelled(rows, (labels) => labels.with(to!, from.map((name) => labels.get(name)).join(separator)));
}

function relabelled(rows: readonly Row[], change: (labels: Labels) => Labels): Row[] {
  return merged(rows.map((row) => ({ ...row, labels: change(row.labels) })));
}

/** A group that there is not, or that took no part, is the empty text. */
function groupOf(matcher: ReturnType<RE2JS["matcher"]>, group: string): string {
  const number = /^\d+$/.test(group) ? Number(group) : undefined;
  if (number !== undefined) return number <= matcher.groupCount() ? (matcher.group(number) ?? "") : "";
  return Object.hasOwn(matcher.pattern().namedGroups(), group) ? (matcher.group(group) ?? "") : "";
}

function compile(pattern: string): RE2JS {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw badQuery(`label_replace: ${JSON.stringify(pattern)} is no regular expression of RE2: ${error.message}`);
  }
}

function checkName(what: string, name: string): void {
  if (name === METRIC_NAME || LABEL_NAME.test(name)) return;
  throw failed(`${what}: ${JSON.stringify(name)} is no name of a label`);
}
