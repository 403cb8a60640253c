import type { InhibitRule } from "../config.ts";
import { MAX_INHIBIT_RULES } from "../limits.ts";
import { readMatchers } from "./matchers.ts";
import type { Fields, Known, Value } from "./value.ts";

const SIDES = ["source", "target"] as const;
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

function readSide(fields: Fields, side: (typeof SIDES)[number]) {
  const names = { list: `${side}_matchers`, equal: `${side}_match`, regex: `${side}_match_re` };
  const matchers = readMatchers(fields, names);
  const isWritten = Object.values(names).some((name) => fields.get(name)?.isEmpty === false);
  // As Alertmanager has it, it would match every alert, and so silence all of them or by any of them.
  if (matchers.length === 0 && !isWritten) fields.at.problem(`has no ${names.list}: write at least one.`);
  return matchers;
}
