/** Regular expressions of one text: each is compiled once, and what they look at is counted. */
import { RE2JS, RE2JSException } from "re2js";
import { expressionBound } from "../../../formats/matchers.ts";
import { Failure } from "./failure.ts";
import { MATCHING_PER_STEP, MAX_OUTPUT_CHARACTERS, MAX_PROGRAM } from "./limits.ts";

/** As in Go: `$name` takes all letters, digits and underscores. */
const REFERENCE = /\$(?:\$|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu;

/** What may be repeated without end. */
const ENDLESS = /[*+]|\{\d+,\}/;

export class Expressions {
  readonly #compiled = new Map<string, RE2JS>();
  readonly #spend: (steps: number) => void;

  /** @param spend counts work; throws where there is too much */
  constructor(spend: (steps: number) => void) {
    this.#spend = spend;
  }

  match(pattern: string, value: string): boolean {
    return this.#of(pattern, value).matcher(value).find();
  }

  /** Go leaves out a match of nothing right behind another match. */
  replaceAll(pattern: string, by: string, value: string): string {
    const expression = this.#of(pattern, value);
    const expand = expander(expression, by);
    const size = expression.programSize();
    // What a match could still have become is looked for behind each of them, here to the end of the text.
    const isEndless = ENDLESS.test(pattern);
    const matcher = expression.matcher(value);
    const pieces: string[] = [];
    let [end, length, hasMatch] = [0, value.length, false];
    while (matcher.find()) {
      const start = matcher.start();
      this.#spend(Math.floor((size * (isEndless ? value.length - start : size)) / MATCHING_PER_STEP));
      if (hasMatch && start === end && matcher.end() === start) continue;
      const piece = value.slice(end, start) + expand((group) => matcher.group(group) ?? "");
      length += piece.length;
      // Before it is there: a text that stands for each of many matches has no bound of its own.
      if (length > 2 * MAX_OUTPUT_CHARACTERS) throw new Failure(`makes more than ${MAX_OUTPUT_CHARACTERS} characters.`);
      pieces.push(piece);
      end = matcher.end();
      hasMatch = true;
    }
    return pieces.join("") + value.slice(end);
  }

  #of(pattern: string, value: string): RE2JS {
    const known = this.#compiled.get(pattern) ?? this.#compile(pattern);
    this.#spend(Math.ceil((known.programSize() * (value.length + 1)) / MATCHING_PER_STEP));
    return known;
  }

  #compile(pattern: string): RE2JS {
    const bound = expressionBound(pattern);
    if (bound > MAX_PROGRAM) throw new Failure("has a regular expression that is too large.");
    // To compile is work too: a step is some microseconds.
    this.#spend(bound);
    try {
      const expression = RE2JS.compile(pattern);
      this.#compiled.set(pattern, expression);
      return expression;
    } catch (error) {
      if (!(error instanceof RE2JSException)) throw error;
      throw new Failure(`${JSON.stringify(pattern.slice(0, 60))} is no regular expression of RE2: ${error.message}`);
    }
  }
}

type GroupOf = (group: number | string) => string;

/** The text for a match, with what its references stand for. */
function expander(expression: RE2JS, by: string): (groupOf: GroupOf) => string {
  if (!by.includes("$")) return () => by;
  const names = expression.namedGroups();
  const count = expression.groupCount();
  const textOf = (name: string, groupOf: GroupOf) => {
    if (/^\d+$/.test(name)) return Number(name) <= count ? groupOf(Number(name)) : "";
    return Object.hasOwn(names, name) ? groupOf(name) : "";
  };
  return (groupOf) =>
    by.replace(REFERENCE, (whole, name?: string, braced?: string) => {
      const wanted = name ?? braced;
      return wanted === undefined ? (whole === "$$" ? "$" : whole) : textOf(wanted, groupOf);
    });
}
