/** Reads a JSON body, and says where it is broken. NaN and infinities, which some clients write, are named as what they are. */
import { deeperThan, MAX_BODY_DEPTH } from "../nesting.ts";
import type { Problem } from "./problem.ts";

export type Body =
  | { readonly ok: true; readonly value: unknown; readonly tooLong: readonly string[] }
  | { readonly ok: false; readonly problem: Problem };

/** @returns `tooLong`: the top-level fields that hold an integer past 64 bits */
export function parseBody(bytes: Buffer, contentType: string | undefined): Body {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return broken(0, "The body is not UTF-8");
  }
  // As existing clients know it: a body that is not declared as JSON is a text, and a text is no object.
  if (contentType !== undefined && !/^application\/([\w.-]+\+)?json\b/i.test(contentType.trim()))
    return { ok: true, value: text, tooLong: [] };
  try {
    const value: unknown = JSON.parse(text);
    if (deeperThan(value, MAX_BODY_DEPTH))
      return broken(0, `The body is nested more than ${MAX_BODY_DEPTH} levels deep`);
    return { ok: true, value, tooLong: longIntegers(text) };
  } catch (error) {
    const lenient = withoutBareNumbers(text);
    if (lenient !== undefined) return lenient;
    const { message } = error as SyntaxError;
    return broken(Number(/position (\d+)/.exec(message)?.[1] ?? text.length), message);
  }
}

function broken(offset: number, why: string): Body {
  return {
    ok: false,
    problem: { type: "json_invalid", loc: ["body", offset], msg: "JSON decode error", input: {}, ctx: { error: why } },
  };
}

// A string that is never closed is taken to the end of the text: else each quote in it would be tried as a beginning.
const STRING_OR_BARE = /"(?:[^"\\]|\\[\s\S])*"?|-?\b(?:NaN|Infinity)\b/g;

/** The body read with NaN and infinities as numbers that are not finite, so that their field is named. */
function withoutBareNumbers(text: string): Body | undefined {
  let found = false;
  const replaced = text.replace(STRING_OR_BARE, (token) => {
    if (token.startsWith('"')) return token;
    found = true;
    return token.startsWith("-") ? "-1e999" : "1e999";
  });
  if (!found) return undefined;
  try {
    const value: unknown = JSON.parse(replaced);
    return deeperThan(value, MAX_BODY_DEPTH) ? undefined : { ok: true, value, tooLong: [] };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const MAYBE_LONG = /\d{19}/;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** Top-level fields that hold, at any depth, an integer past 64 bits. Its exact digits are lost once it is a number. */
function longIntegers(text: string): string[] {
  if (!MAYBE_LONG.test(text)) return [];
  // Inner values come before those that hold them, so a mark rises up to the top-level field.
  const holders = new Set<unknown>();
  const fields = new Map<unknown, Set<string>>();
  const parsed: unknown = JSON.parse(text, function (
    this: unknown,
    key: string,
    value: unknown,
    context?: { source?: string },
  ) {
    const long = typeof value === "number" && /^-?\d+$/.test(context?.source ?? "") && isLong(BigInt(context!.source!));
    if (long || holders.has(value)) {
      holders.add(this);
      fields.set(this, (fields.get(this) ?? new Set()).add(key));
    }
    return value;
  } as Parameters<typeof JSON.parse>[1]);
  return [...(fields.get(parsed) ?? [])];
}

function isLong(integer: bigint): boolean {
  return integer > INT64_MAX || integer < INT64_MIN;
}
