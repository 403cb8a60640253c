/** A template as pieces of text and the tokens of its actions. */
import { quoted } from "../../lib/quoted.ts";
import { Float } from "./nodes.ts";
import { TemplateProblem } from "./problem.ts";

export type Piece =
  | { readonly kind: "text"; readonly at: number; readonly text: string }
  | { readonly kind: "action"; readonly at: number; readonly end: number; readonly tokens: readonly Token[] };

export type Token =
  | {
      readonly kind: "word" | "field" | "variable";
      readonly at: number;
      readonly text: string;
      readonly glued: boolean;
    }
  | { readonly kind: "literal"; readonly at: number; readonly value: string | number | Float }
  | { readonly kind: "mark"; readonly at: number; readonly text: string; readonly glued: boolean };

const TRIMMED = " \t\r\n";
/** Behind a comment. */
const COMMENT_END = /(?:[ \t\r\n]-)?\}\}/y;
/** What a token may be, the longer ones first. */
const TOKEN =
  /(?<blank>\s+)|(?<raw>`[^`]*`)|(?<text>"(?:[^"\\\n]|\\.)*")|(?<character>'(?:[^'\\\n]|\\.[\da-fA-F]*)')|(?<number>[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))|(?<variable>\$[\p{L}\p{N}_]*)|(?<field>\.[\p{L}_][\p{L}\p{N}_]*)|(?<word>[\p{L}_][\p{L}\p{N}_]*)|(?<mark>:=|[=|(),.])/uy;
const ESCAPE = /\\(?:([abfnrtv\\"'])|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{3}))|\\/g;
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" },
  ...{ "\\": "\\", '"': '"', "'": "'" },
};

/** @throws TemplateProblem at the first place that is none of a template */
export function lex(source: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  let trimsStart = false;
  for (;;) {
    const open = source.indexOf("{{", at);
    const trimsEnd = open >= 0 && source[open + 2] === "-" && TRIMMED.includes(source[open + 3] ?? "x");
    const text = trimmed(source.slice(at, open < 0 ? undefined : open), trimsStart, trimsEnd);
    if (text !== "") pieces.push({ kind: "text", at, text });
    if (open < 0) return pieces;
    const start = open + (trimsEnd ? 3 : 2);
    const comment = trimsEnd ? start + 1 : start;
    if (source.startsWith("/*", comment)) {
      at = endOfComment(source, open, comment);
      trimsStart = source[at - 3] === "-";
      continue;
    }
    const { tokens, end, trims } = lexAction(source, open, start);
    pieces.push({ kind: "action", at: open, end, tokens });
    at = end;
    trimsStart = trims;
  }
}

/** Go's comments fill their action: only blanks to trim by may stand behind one. */
function endOfComment(source: string, open: number, start: number): number {
  const close = source.indexOf("*/", start + 2);
  if (close < 0) throw new TemplateProblem(open, "begins a comment that nothing ends.");
  COMMENT_END.lastIndex = close + 2;
  if (COMMENT_END.test(source)) return COMMENT_END.lastIndex;
  throw new TemplateProblem(close, "ends a comment before the action ends: write */}} or */ -}}.");
}

function trimmed(text: string, start: boolean, end: boolean): string {
  const cut = start ? text.replace(/^[ \t\r\n]+/, "") : text;
  if (!end) return cut;
  let last = cut.length;
  while (last > 0 && TRIMMED.includes(cut[last - 1]!)) last--;
  return cut.slice(0, last);
}

function lexAction(source: string, open: number, start: number) {
  const tokens: Token[] = [];
  let at = start;
  /** Whether nothing stands between this token and the one before. */
  let glued = false;
  for (;;) {
    if (source.startsWith("}}", at)) return { tokens, end: at + 2, trims: false };
    if (at > start && TRIMMED.includes(source[at - 1]!) && source.startsWith("-}}", at))
      return { tokens, end: at + 3, trims: true };
    if (at >= source.length) throw new TemplateProblem(open, "begins an action with {{ that no }} ends.");
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(source);
    if (found === null) throw strange(source, at);
    const token = tokenOf(found.groups!, at, glued);
    if (token !== undefined) tokens.push(token);
    glued = token !== undefined;
    at = TOKEN.lastIndex;
  }
}

function strange(source: string, at: number): TemplateProblem {
  const character = String.fromCodePoint(source.codePointAt(at)!);
  if (character === '"' || character === "`") return new TemplateProblem(at, "opens a quote and does not close it.");
  if (character === "'")
    return new TemplateProblem(at, "has no single character between ' and ': quote texts with \".");
  return new TemplateProblem(at, `has ${quoted(character)} in an action.`);
}

function tokenOf(groups: Readonly<Record<string, string | undefined>>, at: number, glued: boolean): Token | undefined {
  const { raw, text, character, number, variable, field, word, mark } = groups;
  if (raw !== undefined) return { kind: "literal", at, value: raw.slice(1, -1).replaceAll("\r", "") };
  if (text !== undefined) return { kind: "literal", at, value: unescaped(text.slice(1, -1), at) };
  // As in Go, a character is its number.
  if (character !== undefined)
    return { kind: "literal", at, value: unescaped(character.slice(1, -1), at).codePointAt(0)! };
  if (number !== undefined) return { kind: "literal", at, value: numberOf(number, at) };
  if (variable !== undefined) return { kind: "variable", at, text: variable, glued };
  if (field !== undefined) return { kind: "field", at, text: field.slice(1), glued };
  if (word !== undefined) return { kind: "word", at, text: word, glued };
  return mark === undefined ? undefined : { kind: "mark", at, text: mark, glued };
}

function numberOf(text: string, at: number): number | Float {
  // With a zero before it a number is octal.
  const digits = text
    .replaceAll("_", "")
    .replace(/^\+/, "")
    .replace(/^(-?)0(?=[0-7]+$)/, "$10o");
  const isFloat = !/^-?0x/i.test(digits) && /[.e]/i.test(digits);
  const isNegative = digits.startsWith("-");
  const value = Number(isNegative ? digits.slice(1) : digits) * (isNegative ? -1 : 1);
  if (!Number.isFinite(value) || (!isFloat && !Number.isSafeInteger(value)))
    throw new TemplateProblem(at, `${quoted(text)} is no number that is taken.`);
  return isFloat ? new Float(value) : value;
}

function unescaped(text: string, at: number): string {
  return text.replace(ESCAPE, (whole, letter?: string, x?: string, u?: string, long?: string, octal?: string) => {
    if (letter !== undefined) return ESCAPES[letter]!;
    const code = octal === undefined ? Number.parseInt(x ?? u ?? long ?? "", 16) : Number.parseInt(octal, 8);
    if (Number.isNaN(code) || code > 0x10ffff)
      throw new TemplateProblem(at, `has a ${quoted(whole)} that is no escape.`);
    return String.fromCodePoint(code);
  });
}
