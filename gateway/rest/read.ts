/** Reads a request's arguments: all that is wrong with them at once, or the arguments. */
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { checkBodyField, checkField } from "./check.ts";
import type { Given } from "./given.ts";
import { parseBody } from "./json.ts";
import type { Problem } from "./problem.ts";
import type { Parameter, Route } from "./routes.ts";
import { restRules } from "./rules.ts";
import { type UnknownNames, unknownNames } from "./unknown.ts";

/** What was read; `unknown`: names that no parameter has. */
export type Arguments = { readonly unknown: UnknownNames } & (
  | { readonly args: Record<string, unknown> }
  | { readonly problems: readonly Problem[] }
);

/** The name that answers use for `observed_at`, and that some clients send it by. */
const TIMESTAMP = "timestamp";
const OBSERVED_AT = "observed_at";

export function readArguments(route: Route, given: Given): Arguments {
  const args: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const parameter of route.parameters) {
    if (parameter.where === "body") continue;
    if (parameter.field.fieldKind === "list") {
      takeAll(parameter, given.query.getAll(parameter.name), args, problems);
      continue;
    }
    const text = parameter.where === "path" ? given.path[parameter.name] : given.query.getAll(parameter.name).at(-1);
    take(parameter, text, args, problems);
  }
  const takesBody = route.body !== undefined;
  const fields = takesBody || (given.body?.length ?? 0) > 0 ? readBody(route, given, args, problems) : [];
  const unknown = unknownNames(route, given.query, fields);
  return problems.length > 0 ? { problems, unknown } : { args, unknown };
}

/** A path or query parameter. An empty text filters nothing; a number has no empty text. */
function take(
  parameter: Parameter,
  text: string | undefined,
  args: Record<string, unknown>,
  problems: Problem[],
): void {
  const { name, field, where } = parameter;
  if (text === undefined || (text === "" && where === "query" && !isNumber(field))) {
    if (parameter.default !== undefined) args[name] = parameter.default;
    return;
  }
  const checked = checkField(field, text);
  if ("problem" in checked) problems.push(entry(checked.problem, [where, name], text));
  else args[name] = checked.value;
}

/** A query parameter that may be given several times. */
function takeAll(
  { name, field, where }: Parameter,
  texts: readonly string[],
  args: Record<string, unknown>,
  problems: Problem[],
): void {
  const given = texts.filter((text) => text !== "");
  if (given.length === 0) return;
  const checked = checkField(field, given);
  if ("problem" in checked) problems.push(entry(checked.problem, [where, name], given));
  else args[name] = checked.value;
}

function isNumber({ scalar }: DescField): boolean {
  return scalar !== undefined && scalar !== ScalarType.STRING && scalar !== ScalarType.BOOL;
}

/** @returns the names of the body's fields, without one that was taken for another */
function readBody(route: Route, given: Given, args: Record<string, unknown>, problems: Problem[]): string[] {
  const bytes = given.body;
  if (bytes === undefined || bytes.length === 0) {
    problems.push(missing(["body"], null));
    return [];
  }
  const body = parseBody(bytes, given.contentType);
  if (!body.ok) {
    problems.push(body.problem);
    return [];
  }
  if (body.value === null) {
    if (route.body === undefined) return [];
    problems.push(missing(["body"], null));
    return [];
  }
  if (typeof body.value !== "object" || Array.isArray(body.value)) {
    const msg = "Input should be a valid dictionary or object to extract fields from";
    problems.push({ type: "model_attributes_type", loc: ["body"], msg, input: body.value });
    return [];
  }
  const sent = body.value as Record<string, unknown>;
  const tooLong = new Set(body.tooLong);
  const asTimestamp = given.acceptTimestamp && (sent[OBSERVED_AT] ?? undefined) === undefined;
  for (const parameter of route.parameters) {
    if (parameter.where !== "body") continue;
    const key = asTimestamp && parameter.name === OBSERVED_AT ? TIMESTAMP : parameter.name;
    takeField(parameter, key, sent, { tooLong, args, problems });
  }
  return Object.keys(sent).filter((name) => !(asTimestamp && name === TIMESTAMP));
}

interface Taken {
  readonly tooLong: ReadonlySet<string>;
  readonly args: Record<string, unknown>;
  readonly problems: Problem[];
}

/** @param key the field's name in what was sent */
function takeField({ name, field }: Parameter, key: string, sent: Record<string, unknown>, to: Taken): void {
  const { tooLong, args, problems } = to;
  const value = Object.hasOwn(sent, key) ? sent[key] : undefined;
  const { required } = restRules(field);
  if (value === undefined) {
    if (required) problems.push(missing(["body", key], sent));
    return;
  }
  if (value === null && !required) return;
  if (tooLong.has(key) && typeof value !== "string") {
    const msg = "Input should be a valid integer of at most 64 bits";
    problems.push({ type: "int_parsing", loc: ["body", name], msg, input: showable(value) });
    return;
  }
  const checked = checkBodyField(field, value);
  if ("problem" in checked) problems.push(entry(checked.problem, ["body", key], value));
  else args[name] = checked.value;
}

function missing(loc: string[], input: unknown): Problem {
  return { type: "missing", loc, msg: "Field required", input: showable(input) };
}

function entry(problem: Omit<Problem, "loc" | "input">, loc: string[], input: unknown): Problem {
  const { type, msg, ctx } = problem;
  return { type, loc, msg, input: showable(input), ...(ctx === undefined ? {} : { ctx }) };
}

/**
 * What was sent, for the answer, where a number that is not finite becomes null, for JSON has no word for it. A long text is cut; of what is
 * large otherwise nothing is shown: it would be sent back once for each field that is wrong.
 */
function showable(value: unknown): unknown {
  if (typeof value === "string" && value.length > MAX_QUOTED) return `${value.slice(0, MAX_QUOTED)}…`;
  return holdsMore(value, { left: MAX_SHOWN }) ? null : value;
}

/** Whether there is more in the value than the characters and values left. */
function holdsMore(value: unknown, budget: { left: number }): boolean {
  budget.left -= typeof value === "string" ? value.length + 1 : 1;
  if (budget.left < 0) return true;
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) {
    for (const inner of value) if (holdsMore(inner, budget)) return true;
    return false;
  }
  for (const name in value) {
    budget.left -= name.length;
    if (holdsMore((value as Record<string, unknown>)[name], budget)) return true;
  }
  return false;
}

/** Characters and values of a body that are shown again: those of a reading with metadata of an ordinary size. */
const MAX_SHOWN = 4_000;
/** Enough to recognise a value by. */
const MAX_QUOTED = 200;
