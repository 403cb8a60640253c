/** Reads a request's arguments: all that is wrong with them at once, or the arguments. */
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { checkField } from "./check.ts";
import { parseBody } from "./json.ts";
import type { Problem } from "./problem.ts";
import type { Parameter, Route } from "./routes.ts";
import { fieldRules } from "./rules.ts";

export type Arguments = { readonly args: Record<string, unknown> } | { readonly problems: readonly Problem[] };

export interface Given {
  readonly path: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body?: Buffer;
  readonly contentType: string | undefined;
}

export function readArguments(route: Route, given: Given): Arguments {
  const args: Record<string, unknown> = {};
  const problems: Problem[] = [];
  for (const parameter of route.parameters) {
    if (parameter.where === "body") continue;
    const text = parameter.where === "path" ? given.path[parameter.name] : given.query.getAll(parameter.name).at(-1);
    take(parameter, text, args, problems);
  }
  if (route.body !== undefined) readBody(route, given, args, problems);
  return problems.length > 0 ? { problems } : { args };
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

function isNumber({ scalar }: DescField): boolean {
  return scalar !== undefined && scalar !== ScalarType.STRING && scalar !== ScalarType.BOOL;
}

function readBody(route: Route, given: Given, args: Record<string, unknown>, problems: Problem[]): void {
  const bytes = given.body;
  if (bytes === undefined || bytes.length === 0) {
    problems.push(missing(["body"], null));
    return;
  }
  const body = parseBody(bytes, given.contentType);
  if (!body.ok) {
    problems.push(body.problem);
    return;
  }
  if (body.value === null) {
    problems.push(missing(["body"], null));
    return;
  }
  if (typeof body.value !== "object" || Array.isArray(body.value)) {
    const msg = "Input should be a valid dictionary or object to extract fields from";
    problems.push({ type: "model_attributes_type", loc: ["body"], msg, input: body.value });
    return;
  }
  const sent = body.value as Record<string, unknown>;
  const tooLong = new Set(body.tooLong);
  for (const parameter of route.parameters)
    if (parameter.where === "body") takeField(parameter, sent, tooLong, args, problems);
}

function takeField(
  { name, field }: Parameter,
  sent: Record<string, unknown>,
  tooLong: ReadonlySet<string>,
  args: Record<string, unknown>,
  problems: Problem[],
): void {
  const value = Object.hasOwn(sent, name) ? sent[name] : undefined;
  const { required } = fieldRules(field);
  if (value === undefined) {
    if (required) problems.push(missing(["body", name], sent));
    return;
  }
  if (value === null && !required) return;
  if (tooLong.has(name) && typeof value !== "string") {
    const msg = "Input should be a valid integer of at most 64 bits";
    problems.push({ type: "int_parsing", loc: ["body", name], msg, input: showable(value) });
    return;
  }
  const checked = checkField(field, value);
  if ("problem" in checked) problems.push(entry(checked.problem, ["body", name], value));
  else args[name] = checked.value;
}

function missing(loc: string[], input: unknown): Problem {
  return { type: "missing", loc, msg: "Field required", input: showable(input) };
}

function entry(problem: Omit<Problem, "loc" | "input">, loc: string[], input: unknown): Problem {
  const { type, msg, ctx } = problem;
  return { type, loc, msg, input: showable(input), ...(ctx === undefined ? {} : { ctx }) };
}

/** What was sent, for the answer, where a number that is not finite becomes null, for JSON has no word for it; a long text is cut. */
function showable(value: unknown): unknown {
  if (typeof value === "string" && value.length > MAX_SHOWN) return `${value.slice(0, MAX_SHOWN)}…`;
  return value;
}

/** Enough to recognise a value by. */
const MAX_SHOWN = 200;
