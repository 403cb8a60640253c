/** Matchers of alerts' labels on the wire. */
import type { Matcher, MatcherOperator } from "../../formats/matchers.ts";
import { type LabelMatcher, MatcherType } from "../../gen/es/telltale/v1/notification_pb.ts";

const TYPES = {
  "=": MatcherType.EQUAL,
  "!=": MatcherType.NOT_EQUAL,
  "=~": MatcherType.REGEXP,
  "!~": MatcherType.NOT_REGEXP,
} as const satisfies Record<MatcherOperator, MatcherType>;
const OPERATORS = new Map(
  Object.entries(TYPES).map(([operator, type]) => [type as MatcherType, operator as MatcherOperator]),
);

export function toLabelMatcher({ name, operator, value }: Matcher): { name: string; type: MatcherType; value: string } {
  return { name, type: TYPES[operator], value };
}

/** One without a type, and of a type that this version does not know, compares by `=`. */
export function fromLabelMatcher({ name, type, value }: LabelMatcher): Matcher {
  return { name, operator: OPERATORS.get(type) ?? "=", value };
}
