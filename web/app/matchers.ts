/** Matchers of silences, as Alertmanager writes them. */
import {
  formatMatcher,
  type Matcher,
  type MatcherOperator,
  MatcherProblem,
  parseMatchers,
} from "../../formats/matcher-text.ts";
import { type LabelMatcher, MatcherType } from "../../gen/web/telltale/v1/notification_pb.ts";

const TYPES: Readonly<Record<MatcherOperator, MatcherType>> = {
  "=": MatcherType.EQUAL,
  "!=": MatcherType.NOT_EQUAL,
  "=~": MatcherType.REGEXP,
  "!~": MatcherType.NOT_REGEXP,
};

/** As people choose from them. */
export const OPERATORS: readonly MatcherOperator[] = Object.keys(TYPES) as MatcherOperator[];

export function matcherType(operator: MatcherOperator): MatcherType {
  return TYPES[operator];
}

export function matcherText({ name, type, value }: Pick<LabelMatcher, "name" | "type" | "value">): string {
  const operator = OPERATORS.find((each) => TYPES[each] === type) ?? "=";
  return formatMatcher({ name, operator, value });
}

export type Row = Matcher;

/** The first rows of a form that silences these sensors. */
export function rowsOfSensors(ids: readonly string[]): Row[] {
  const unique = [...new Set(ids)];
  if (unique.length <= 1) return [{ name: "sensor_id", operator: "=", value: unique[0] ?? "" }];
  return [{ name: "sensor_id", operator: "=~", value: unique.map(escaped).join("|") }];
}

/** The rows of a filter such as `{job="a",line=~"3|4"}`, for the person to look at; none where it is no filter. */
export function rowsOfFilter(text: string): Row[] {
  try {
    return text === "" ? [] : parseMatchers(text);
  } catch (error) {
    if (error instanceof MatcherProblem) return [];
    throw error;
  }
}

/** As a regular expression that fits the text alone. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** What is wrong with the rows of a form, in a sentence; undefined: nothing that can be seen here. */
export function problemOfRows(rows: readonly Row[]): string | undefined {
  const named = rows.filter(({ name }) => name.trim() !== "");
  if (named.length === 0) return "Name at least one label, for example sensor_id.";
  const unnamed = rows.find(({ name, value }) => name.trim() === "" && value.trim() !== "");
  if (unnamed !== undefined) return `The value "${unnamed.value}" has no label: name one, or remove the row.`;
  if (named.every(matchesEmpty)) return "At least one matcher must want a value: a silence of everything is a mistake.";
  return undefined;
}

function matchesEmpty({ operator, value }: Row): boolean {
  return operator === "=" ? value === "" : operator === "!=" ? value !== "" : operator === "!~";
}
