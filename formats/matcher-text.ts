/** Matchers as Alertmanager writes them, `name="value"`, `!=`, `=~`, `!~`: reading and writing them, without what their expressions need. */

export type MatcherOperator = "=" | "!=" | "=~" | "!~";

export interface Matcher {
  readonly name: string;
  readonly operator: MatcherOperator;
  readonly value: string;
}

/** A matcher that cannot be read. The message names it, and says what is wanted. */
export class MatcherProblem extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MatcherProblem";
  }
}

const MAX_QUOTED = 100;

/** What a bare name ends before. */
const RESERVED = /[\s{}!=~,"'\\`]/;
/** The longer ones first. */
export const OPERATORS: readonly MatcherOperator[] = ["=~", "!~", "!=", "="];

/**
 * The matchers of a text such as `site="a",line=~"3|4"`, also in braces.
 *
 * @throws MatcherProblem where it is empty, or something else
 */
export function parseMatchers(text: string): Matcher[] {
  const scanner = new Scanner(text);
  const found: Matcher[] = [];
  while (!scanner.done) {
    found.push(scanner.matcher());
    scanner.comma();
  }
  if (found.length === 0) throw matcherProblem(text, "is empty");
  return found;
}

/** As it was written, or would be. */
export function formatMatcher({ name, operator, value }: Matcher): string {
  const shown = RESERVED.test(name) || name === "" ? quote(name) : name;
  return `${shown}${operator}${quote(value)}`;
}

class Scanner {
  readonly #text: string;
  /** What is scanned: without braces around it. */
  readonly #body: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    const trimmed = text.trim();
    const open = trimmed.startsWith("{");
    if (open && !trimmed.endsWith("}")) throw matcherProblem(text, "opens a brace and does not close it");
    this.#body = open ? trimmed.slice(1, -1) : trimmed;
    this.#blanks();
  }

  get done(): boolean {
    return this.#at >= this.#body.length;
  }

  matcher(): Matcher {
    const name = this.#name();
    this.#blanks();
    const operator = OPERATORS.find((each) => this.#body.startsWith(each, this.#at));
    if (operator === undefined)
      throw matcherProblem(this.#text, `has no =, !=, =~ or !~ after ${quote(name)}: write name="value"`);
    this.#at += operator.length;
    this.#blanks();
    return { name, operator, value: this.#value() };
  }

  /** Goes past the comma before the next one; one at the end is none too many. */
  comma(): void {
    this.#blanks();
    if (this.done) return;
    if (this.#body[this.#at] !== ",")
      throw matcherProblem(
        this.#text,
        `has ${quote(this.#body.slice(this.#at))} behind a value: put a comma between matchers`,
      );
    this.#at++;
    this.#blanks();
  }

  #name(): string {
    if (this.#body[this.#at] === '"') return this.#quoted();
    let end = this.#at;
    while (end < this.#body.length && !RESERVED.test(this.#body[end]!)) end++;
    const name = this.#body.slice(this.#at, end);
    if (name === "") throw matcherProblem(this.#text, 'has no name before its operator: write name="value"');
    this.#at = end;
    return name;
  }

  #value(): string {
    if (this.#body[this.#at] === '"') return this.#quoted();
    const comma = this.#body.indexOf(",", this.#at);
    const end = comma < 0 ? this.#body.length : comma;
    const value = this.#body.slice(this.#at, end).trimEnd();
    if (value.includes('"'))
      throw matcherProblem(this.#text, 'has a " within a value: put the whole value into quotes');
    this.#at = end;
    return value;
  }

  /** In quotes a backslash takes its meaning from a quote, a backslash and an n alone: regular expressions have others. */
  #quoted(): string {
    let value = "";
    for (let i = this.#at + 1; i < this.#body.length; i++) {
      const character = this.#body[i]!;
      if (character === '"') {
        this.#at = i + 1;
        return value;
      }
      const next = character === "\\" ? this.#body[i + 1] : undefined;
      if (next === '"' || next === "\\" || next === "n") {
        value += next === "n" ? "\n" : next;
        i++;
      } else value += character;
    }
    throw matcherProblem(this.#text, "opens a quote and does not close it");
  }

  #blanks(): void {
    while (/\s/.test(this.#body[this.#at] ?? "")) this.#at++;
  }
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")}"`;
}

/** @param what is wrong with it, for example "is empty" */
export function matcherProblem(text: string, what: string): MatcherProblem {
  const shown = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text;
  return new MatcherProblem(`the matcher ${shown === "" ? '""' : shown} ${what}`);
}
