/** Texts with gaps, such as "{line}/{$.serial}": levels of the topic and parts of the payload go into them. Pure. */
import { type JsonPath, parsePath, valueAt } from "./json-path.ts";
import type { Captures } from "./topics.ts";

type Piece = { readonly text: string } | { readonly name: string } | { readonly path: JsonPath };

/**
 * Undefined where a part of the payload that it asks for is absent or no text, number or truth value; also where it is a whole number past
 * 2^53, of which JSON has lost the last digits: two serial numbers would be one sensor.
 */
export type TextTemplate = (captures: Captures, payload: unknown) => string | undefined;

const GAP = /\{([^{}]*)\}/g;

/**
 * @param names of the topic's levels
 * @returns the template, or what is wrong with it, as the end of a sentence
 */
export function textTemplate(text: string, names: readonly string[]): TextTemplate | string {
  const pieces: Piece[] = [];
  let end = 0;
  for (const found of text.matchAll(GAP)) {
    if (found.index > end) pieces.push({ text: text.slice(end, found.index) });
    end = found.index + found[0].length;
    const inner = found[1]!.trim();
    const path = parsePath(inner);
    if (path !== undefined) pieces.push({ path });
    else if (names.includes(inner)) pieces.push({ name: inner });
    else
      return `has {${inner}}: write one of the topic's names (${names.join(", ") || "it has none"}) or a path such as {$.serial}`;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  if (pieces.some((piece) => "text" in piece && /[{}]/.test(piece.text))) return "has a brace without its other one";
  return (captures, payload) => fill(pieces, captures, payload);
}

function fill(pieces: readonly Piece[], captures: Captures, payload: unknown): string | undefined {
  let text = "";
  for (const piece of pieces) {
    if ("text" in piece) text += piece.text;
    else if ("name" in piece) text += captures[piece.name];
    else {
      const part = valueAt(payload, piece.path);
      if (typeof part !== "string" && typeof part !== "number" && typeof part !== "boolean") return undefined;
      if (typeof part === "number" && Math.abs(part) > Number.MAX_SAFE_INTEGER) return undefined;
      text += part;
    }
  }
  return text;
}
