/** Matchers of silences, as Alertmanager writes them. */
import { type LabelMatcher, MatcherType } from "../../gen/web/telltale/v1/notification_pb.ts";

export const OPERATORS = ["=", "!=", "=~", "!~"] as const;
export type Operator = (typeof OPERATORS)[number];

const TYPES: Readonly<Record<Operator, MatcherType>> = {
  "=": MatcherType.EQUAL,
  "!=": MatcherType.NOT_EQUAL,
  "=~": MatcherType.REGEXP,
  "!~": MatcherType.NOT_REGEXP,
};

export function matcherType(operator: Operator): MatcherType {
  return TYPES[operator];
}

export function matcherText({ name, type, value }: Pick<LabelMatcher, "name" | "type" | "value">): string {
  const operator = OPERATORS.find((each) => TYPES[each] === type) ?? "=";
  return `${name}${operator}${JSON.stringify(value)}`;
}

export interface Row {
  readonly name: string;
  readonly operator: Operator;
  readonly value: string;
}

/** The first rows of a form that silences these sensors. */
export function rowsOfSensors(ids: readonly string[]): Row[] {
  const unique = [...new Set(ids)];
  if (unique.length <= 1) return [{ name: "sensor_id", operator: "=", value: unique[0] ?? "" }];
  return [{ name: "sensor_id", operator: "=~", value: unique.map(escaped).join("|") }];
}

const TEXT = String.raw`"(?:[^"\\]|\\.)*"`;
const FILTERED = new RegExp(`(${TEXT}|[^\\s{},"=!~]+)\\s*(=~|!~|!=|=)\\s*(${TEXT}|[^\\s{},"]+)`, "g");

/** The rows of a filter such as `{job="a",line=~"3|4"}`: those that can be read, for the person to look at. */
export function rowsOfFilter(text: string): Row[] {
  return [...text.matchAll(FILTERED)].map(([, name, operator, value]) => {
    return { name: bare(name!), operator: operator as Operator, value: bare(value!) };
  });
}

function bare(text: string): string {
  return text.startsWith('"')
    ? text.slice(1, -1).replace(/\\(.)/g, (_, escaped) => (escaped === "n" ? "\n" : escaped))
    : text;
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
