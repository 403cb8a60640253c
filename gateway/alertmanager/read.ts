/** Reads what Alertmanager's clients send. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { MatcherProblem, operatorOf, parseMatchers } from "../../formats/matchers.ts";
import { parseIso } from "../../formats/time.ts";
import type { LabelMatcherSchema } from "../../gen/es/telltale/v1/notification_pb.ts";
import { toLabelMatcher } from "../../server/lib/label-matcher.ts";
import { parseBody } from "../rest/json.ts";
import { BadForm, required, unparsed } from "./answers.ts";

export type Fields = Readonly<Record<string, unknown>>;

/** The names that go-openapi takes for true. */
const TRUE = new Set(["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"]);

/** A flag that is true where it is not given. */
export function flag(query: URLSearchParams, name: string): boolean {
  const text = query.getAll(name).at(-1) ?? "";
  return text === "" || TRUE.has(text.toLowerCase());
}

type MatcherInit = MessageInitShape<typeof LabelMatcherSchema>;

/** The parameters `filter`. */
export function filters(query: URLSearchParams): MatcherInit[] {
  return query.getAll("filter").flatMap((text) => {
    try {
      return parseMatchers(text).map(toLabelMatcher);
    } catch (error) {
      if (error instanceof MatcherProblem) throw new BadMatcher(`bad matcher format: ${error.message}`);
      throw error;
    }
  });
}

/** What a handler refuses by a text. */
export class BadMatcher extends Error {}

/** A silence's matchers: `isEqual` is true where it is not given. */
export function matchersOf(given: unknown): MatcherInit[] {
  if (given === undefined || given === null) throw required("matchers");
  if (!Array.isArray(given)) throw unparsed("silence", "matchers are no list");
  if (given.length === 0) throw new BadForm(422, 612, "matchers in body should have at least 1 items");
  return given.map((each, i) => {
    const fields = objectOf(each, "silence", `matchers.${i}`);
    const isRegex = booleanOf(fields.isRegex, `matchers.${i}.isRegex`);
    const isEqual = booleanOf(fields.isEqual ?? true, `matchers.${i}.isEqual`);
    const operator = operatorOf({ isEqual, isRegex });
    const text = (name: string) => textOf(fields[name], "silence", `matchers.${i}.${name}`);
    return toLabelMatcher({ name: text("name"), operator, value: text("value") });
  });
}

function booleanOf(value: unknown, field: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === undefined || value === null) throw required(field);
  throw unparsed("silence", `${field} is no boolean`);
}

/** @throws BadForm where there is none, or another value */
export function textOf(value: unknown, what: string, field: string): string {
  if (typeof value === "string") return value;
  if (value === undefined || value === null) throw required(field);
  throw unparsed(what, `${field} is no string`);
}

export function objectOf(value: unknown, what: string, field: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw unparsed(what, `${field} is no object`);
}

/** An object of texts; nothing where it is not given. */
export function textsOf(value: unknown, what: string, field: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(objectOf(value, what, field));
  // Maps of protobuf lose it in JavaScript.
  if (entries.some(([name]) => name === "__proto__"))
    throw unparsed(what, `${field} has the name __proto__, which is not taken`);
  return Object.fromEntries(entries.map(([name, text]) => [name, textOf(text, what, `${field}.${name}`)]));
}

/** Go's zero time, which clients send for none, is of the year 1. */
const YEAR_2_SECONDS = -62_104_060_800;

/** Undefined where it is not given. */
export function timeOf(value: unknown, what: string, field: string): { seconds: bigint; nanos: number } | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const text = textOf(value, what, field);
  const instant = parseIso(text);
  if (instant === undefined)
    throw unparsed(what, `${field} is no time such as 2026-01-31T12:00:00Z: ${JSON.stringify(text.slice(0, 100))}`);
  if (instant.seconds < YEAR_2_SECONDS) return undefined;
  return { seconds: BigInt(instant.seconds), nanos: instant.nanos };
}

const JSON_MEDIA = /^\s*application\/json\s*(;|$)/i;

/** @throws BadForm 415: also a form or plain text, which any page may send to anybody without asking */
export function checkMedia(contentType = "application/octet-stream"): void {
  if (JSON_MEDIA.test(contentType)) return;
  const message = `unsupported media type ${JSON.stringify(contentType.slice(0, 100))}, only [application/json] are allowed`;
  throw new BadForm(415, 415, message);
}

/** The value of a JSON body. */
export function jsonOf(bytes: Buffer, what: string): unknown {
  if (bytes.length === 0) throw required(what);
  const body = parseBody(bytes, undefined);
  if (body.ok) {
    if (body.value === null) throw required(what);
    return body.value;
  }
  throw unparsed(what, String(body.problem.ctx?.error ?? body.problem.msg));
}
