/**
 * What a value has to contain to fit a regular expression of RE2, found in the expression's text: to look for it first spares most values the
 * expression itself, which costs a hundred times as much. It never excludes what fits; where nothing is certain, nothing is said.
 */

export interface Literals {
  /** For each alternative a part that every value that fits it contains; empty where there is none. */
  readonly required: readonly string[];
  /** Whether the alternatives are these texts and nothing else. */
  readonly exact: boolean;
}

/** Escapes that stand for a class or a place, without anything behind them that belongs to them. */
const CLASSES = /[dDwWsSbBAz]/;
const PUNCTUATION = /[^A-Za-z0-9]/;

interface Branch {
  runs: string[];
  run: string;
  exact: boolean;
}

/** Undefined where nothing can be said. */
export function literalsOf(expression: string): Literals | undefined {
  // Flags change what letters mean, \Q what everything means.
  if (/\(\?[^:P<]|\\[^dDwWsSbBAz\P{L}]/u.test(expression)) return undefined;
  const branches: Branch[] = [];
  let branch: Branch = { runs: [], run: "", exact: true };
  const cut = () => {
    branch.runs.push(branch.run);
    branch.run = "";
  };
  for (let i = 0; i < expression.length; i++) {
    const character = expression[i]!;
    const end = skipped(expression, i);
    if (end === undefined) return undefined;
    if (end > i) {
      // A group or a class: what is in it is not looked at.
      cut();
      branch.exact = false;
      i = end;
    } else if (character === "\\") {
      const escaped = expression[++i];
      if (escaped === undefined) return undefined;
      if (PUNCTUATION.test(escaped)) branch.run += escaped;
      else if (CLASSES.test(escaped)) {
        cut();
        branch.exact = false;
      } else return undefined;
    } else if (character === "|") {
      cut();
      branches.push(branch);
      branch = { runs: [], run: "", exact: true };
    } else if (/[.^$]/.test(character)) {
      cut();
      branch.exact = false;
    } else if (/[*+?{]/.test(character)) {
      // At most the last character is repeated, or not there at all.
      branch.run = [...branch.run].slice(0, -1).join("");
      cut();
      branch.exact = false;
      if (character === "{") {
        const close = expression.indexOf("}", i);
        if (close < 0) return undefined;
        i = close;
      }
    } else branch.run += character;
  }
  cut();
  branches.push(branch);
  const exact = branches.every((each) => each.exact);
  return { required: branches.map(({ runs }) => longest(runs)), exact };
}

/** The end of the group or the class that begins here, the place itself where none does, undefined where it has no end. */
function skipped(expression: string, at: number): number | undefined {
  if (expression[at] === "[") return classEnd(expression, at);
  if (expression[at] !== "(") return at;
  for (let i = at + 1, depth = 1; i < expression.length; i++) {
    const character = expression[i];
    if (character === "\\") i++;
    else if (character === "[") {
      const end = classEnd(expression, i);
      if (end === undefined) return undefined;
      i = end;
    } else if (character === "(") depth++;
    else if (character === ")" && --depth === 0) return i;
  }
  return undefined;
}

/** A bracket that closes stands for itself as the first character; one that opens may begin a named class. */
function classEnd(expression: string, at: number): number | undefined {
  let i = at + 1;
  if (expression[i] === "^") i++;
  if (expression[i] === "]") i++;
  for (; i < expression.length; i++) {
    const character = expression[i];
    if (character === "\\") i++;
    else if (character === "[" && expression[i + 1] === ":") {
      const close = expression.indexOf(":]", i + 2);
      if (close > 0) i = close + 1;
    } else if (character === "]") return i;
  }
  return undefined;
}

function longest(texts: readonly string[]): string {
  return texts.reduce((best, text) => (text.length > best.length ? text : best), "");
}

/** Whether a value can fit at all. */
export function mayFit({ required }: Literals, value: string): boolean {
  return required.some((text) => value.includes(text));
}
