/**
 * Names of a request that no parameter has. Existing clients of a path may rely on their being ignored, so they are ignored there
 * too, but the answer says so in a `Warning` header (RFC 7234's form; RFC 9110 dropped the field's registry, not its use). On newer
 * paths they are refused.
 */
import { counted } from "../../formats/counted.ts";
import { didYouMean } from "../../server/lib/suggest.ts";
import type { Given } from "./given.ts";
import type { Problem } from "./problem.ts";
import type { Route } from "./routes.ts";

export interface UnknownName {
  readonly where: "query" | "body";
  /** Printable ASCII without quotes, cut to a length that a header and a line of the log can bear. */
  readonly name: string;
  /** What may have been meant; empty where nothing is like it. */
  readonly hint: string;
}

/** Reported one by one; of more, how many. */
const MAX_WARNINGS = 5;
const MAX_NAME = 60;

/** The first names are told of one by one, the others counted: a body may hold a hundred thousand. */
export interface UnknownNames {
  readonly first: readonly UnknownName[];
  readonly counts: ReadonlyMap<UnknownName["where"], number>;
}

/** @param body the fields of the body, where it has any, without those that were taken under another name */
export function unknownNames(route: Route, query: Given["query"], body: Iterable<string>): UnknownNames {
  const found = [unknownOf(route, "query", new Set(query.keys())), unknownOf(route, "body", body)] as const;
  const [inQuery, inBody] = found.map((names) => names.length);
  const first = found
    .flat()
    .slice(0, MAX_WARNINGS)
    .map((tell) => tell());
  return { first, counts: new Map([["query", inQuery!] as const, ["body", inBody!] as const]) };
}

/** What is to be told of each. */
function unknownOf(route: Route, where: "query" | "body", names: Iterable<string>): (() => UnknownName)[] {
  const known = route.parameters.filter((parameter) => parameter.where === where).map(({ name }) => name);
  return [...names]
    .filter((name) => !known.includes(name))
    .map((given) => () => ({ where, name: quoted(given), hint: didYouMean(given, known) }));
}

/** The header's value, or undefined where every name was known. */
export function warningHeader({ first, counts }: UnknownNames): string | undefined {
  if (first.length === 0) return undefined;
  const warnings = first.map(
    ({ where, name, hint }) =>
      `${where === "query" ? "query parameter" : "body field"} ${name} is not known and was ignored${hint}`,
  );
  const more = [...counts.values()].reduce((a, b) => a + b) - first.length;
  if (more > 0) warnings.push(counted(more, "more name", ["was ignored", "were ignored"]));
  return warnings.map((text) => `299 telltale "${text}"`).join(", ");
}

/** The same names as what is wrong with the request. */
export function unknownProblems({ first }: UnknownNames): Problem[] {
  return first.map(({ where, name, hint }) => ({
    type: "extra_forbidden",
    loc: [where, name],
    msg: `Extra inputs are not permitted${hint}`,
    input: null,
  }));
}

function quoted(name: string): string {
  const safe = name.replace(/[^\x21-\x7e]|["\\,]/g, "?");
  return safe.length > MAX_NAME ? `${safe.slice(0, MAX_NAME)}...` : safe;
}
