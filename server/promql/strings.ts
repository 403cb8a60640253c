/** Texts as PromQL writes them: in double, single or back quotes, with the escapes of Go. */
import { badQuery } from "./errors.ts";

const SIMPLE: Readonly<Record<string, string>> = {
  ...{ a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\", "'": "'", '"': '"' },
};
/** Digits of an escape, and their base. */
const NUMBERED: Readonly<Record<string, readonly [digits: number, base: number]>> = {
  ...{ x: [2, 16], u: [4, 16], U: [8, 16] },
};

/** @throws QueryProblem for an escape that is none, or a quote that is not closed */
export function textOf(literal: string): string {
  const quote = literal[0]!;
  if (literal.length < 2 || !literal.endsWith(quote)) throw badQuery(`the text ${literal} is not closed`);
  const body = literal.slice(1, -1);
  if (quote === "`") return body;
  if (body.includes("\n")) throw badQuery(`the text ${literal} has a line break: write \\n`);
  // \x and octal escapes are bytes of UTF-8.
  const bytes: number[] = [];
  const push = (text: string) => bytes.push(...Buffer.from(text));
  for (let i = 0; i < body.length; ) {
    if (body[i] !== "\\") {
      const end = body.indexOf("\\", i);
      push(body.slice(i, end < 0 ? undefined : end));
      i = end < 0 ? body.length : end;
      continue;
    }
    const letter = body[i + 1] ?? "";
    const simple = SIMPLE[letter];
    const [digits, base] = NUMBERED[letter] ?? [3, 8];
    const from = i + (NUMBERED[letter] === undefined ? 1 : 2);
    const shown = body.slice(from, from + digits);
    if (simple !== undefined) {
      push(simple);
      i += 2;
      continue;
    }
    const code = new RegExp(`^[0-${base === 8 ? "7" : "9a-fA-F"}]{${digits}}$`).test(shown)
      ? Number.parseInt(shown, base)
      : Number.NaN;
    const isByte = digits < 4;
    if (Number.isNaN(code) || code > (isByte ? 0xff : 0x10ffff))
      throw badQuery(`the text ${literal} has the unknown escape \\${letter}: write \\\\ for a backslash`);
    if (isByte) bytes.push(code);
    else push(String.fromCodePoint(code));
    i = from + digits;
  }
  return Buffer.from(bytes).toString("utf8");
}
