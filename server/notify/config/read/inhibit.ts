import type { InhibitRule } from "../config.ts";
import { MAX_INHIBIT_RULES } from "../limits.ts";
import { readMatchers } from "./matchers.ts";
import type { Fields, Known, Value } from "./value.ts";

const SIDES = ["source", "target"] as const;
type Side = (typeof SIDES)[number];
const RULE: Known = {
  of: "a rule of inhibition",
  names: ["name", "equal", ...SIDES.flatMap((side) => [`${side}_match`, `${side}_match_re`, `${side}_matchers`])],
};

export function readInhibitRules(value: Value | undefined): InhibitRule[] {
  return (value?.items(MAX_INHIBIT_RULES) ?? []).flatMap((item) => {
    const fields = item.fields(RULE);
    if (fields === undefined) return [];
    const [sourceMatchers, targetMatchers] = [readSide(fields, "source"), readSide(fields, "target")];
    const name = fields.get("name")?.name();
    const equal = [...(fields.get("equal")?.names("the label") ?? new Map<string, Value>()).keys()];
    return [{ ...(name !== undefined && { name }), sourceMatchers, targetMatchers, equal }];
  });
}

/** Without matchers a side matches every alert. */
function readSide(fields: Fields, side: Side) {
  const names = { list: `${side}_matchers`, equal: `${side}_match`, regex: `${side}_match_re` };
  const matchers = readMatchers(fields, names);
  const isWritten = Object.values(names).some((name) => fields.get(name)?.isEmpty === false);
  // Any alert as the source is meant so: the rules of kube-prometheus-stack have it. Every alert as the target would end all notifications.
  if (side === "target" && matchers.length === 0 && !isWritten)
    fields.at.problem(`has no ${names.list}: write at least one.`);
  return matchers;
}
