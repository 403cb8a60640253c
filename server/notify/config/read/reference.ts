/** Names in a file of what is defined elsewhere in it. */
import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import type { Value } from "./value.ts";

export interface Defined {
  /** As in "there is no receiver". */
  readonly kind: string;
  readonly names: ReadonlySet<string>;
  /** Where they are defined. */
  readonly list: string;
}

/** One name; it is reported where nothing has it. */
export function readReference(value: Value | undefined, defined: Defined): string | undefined {
  const name = value?.name();
  if (value !== undefined && name !== undefined) check(value, name, defined);
  return name;
}

/** The names of a list. */
export function readReferences(value: Value | undefined, defined: Defined): string[] {
  const names = value?.names(`the ${defined.kind}`) ?? new Map<string, Value>();
  for (const [name, at] of names) check(at, name, defined);
  return [...names.keys()];
}

function check(value: Value, name: string, { kind, names, list }: Defined): void {
  if (names.has(name)) return;
  value.problem(`there is no ${kind} ${quoted(name)}${didYouMean(name, names) || `: define it in ${list}.`}`);
}

/** The names of several things that are defined, each once. */
export function readDefinition(place: Value | undefined, kind: string, names: Set<string>): string {
  const name = place?.name() ?? "";
  if (name !== "" && names.has(name)) {
    place?.problem(`${quoted(name)} is the name of ${kind} before it: rename one.`);
  }
  names.add(name);
  return name;
}
