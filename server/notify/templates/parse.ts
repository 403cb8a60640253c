/** Templates from their text. Functions, variables and actions that are not there are found here, names of templates once all are known. */
import { quoted } from "../../lib/quoted.ts";
import { didYouMean } from "../../lib/suggest.ts";
import { FUNCTION_NAMES, LATER_FUNCTIONS } from "./function-names.ts";
import { lex, type Piece, type Token } from "./lex.ts";
import { MAX_NESTING, MAX_VARIABLES } from "./limits.ts";
import type { Command, Definition, Node, Operand, Pipe } from "./nodes.ts";
import { checkFormat } from "./printf.ts";
import { TemplateProblem } from "./problem.ts";

export interface ParsedTemplate {
  readonly body: readonly Node[];
  readonly defined: ReadonlyMap<string, Definition>;
  /** Names of templates that it calls, with the first place of each. */
  readonly called: ReadonlyMap<string, number>;
}

/**
 * @param file what the text is called in messages
 * @throws TemplateProblem at the first thing that cannot be taken
 */
export function parseTemplate(source: string, file: string): ParsedTemplate {
  return new Parser(source, file).parse();
}

const ACTIONS = ["if", "else", "end", "range", "with", "define", "block", "template", "break", "continue"];
const LITERALS: ReadonlyMap<string, boolean | undefined> = new Map([
  ["true", true],
  ["false", false],
  ["nil", undefined],
]);

class Parser {
  readonly #source: string;
  readonly #file: string;
  readonly #pieces: readonly Piece[];
  readonly #defined = new Map<string, Definition>();
  readonly #called = new Map<string, number>();
  #at = 0;
  #depth = 0;
  #ranges = 0;
  /** Names that are there, an inner one behind those around it. */
  #variables: string[] = ["$"];

  constructor(source: string, file: string) {
    this.#source = source;
    this.#file = file;
    this.#pieces = lex(source);
  }

  parse(): ParsedTemplate {
    const { nodes, end } = this.#list(true);
    if (end !== undefined) throw new TemplateProblem(end.at, `${quoted(end.word)} has no action that it belongs to.`);
    return { body: nodes, defined: this.#defined, called: this.#called };
  }

  /** Up to an `end` or `else` that is not of an action within, which is left behind; absent: the text is over. */
  #list(isTop = false): { nodes: Node[]; end?: Ending } {
    const nodes: Node[] = [];
    while (this.#at < this.#pieces.length) {
      const piece = this.#pieces[this.#at++]!;
      if (piece.kind === "text") {
        nodes.push(piece);
        continue;
      }
      const tokens = new Tokens(piece);
      const word = tokens.action(ACTIONS);
      if (word === "end" || word === "else") {
        if (word === "end") tokens.done();
        return { nodes, end: { at: piece.at, word, tokens } };
      }
      const node = this.#action(word, tokens, isTop);
      if (node !== undefined) nodes.push(node);
    }
    return { nodes };
  }

  #action(word: string | undefined, tokens: Tokens, isTop: boolean): Node | undefined {
    const { at } = tokens;
    switch (word) {
      case undefined:
        return { kind: "print", at, pipe: this.#pipe(tokens) };
      case "if":
      case "with":
      case "range":
        return this.#branch(word, tokens, at);
      case "template": {
        const name = tokens.name("template");
        const pipe = tokens.isDone ? undefined : this.#pipe(tokens);
        return this.#call(at, name, pipe);
      }
      case "block": {
        const name = tokens.name("block");
        const pipe = this.#pipe(tokens);
        this.#define(name, at);
        return this.#call(at, name, pipe);
      }
      case "define": {
        if (!isTop) throw new TemplateProblem(at, "defines a template within another action: move it outside.");
        const name = tokens.name("define");
        tokens.done();
        this.#define(name, at);
        return undefined;
      }
      default:
        tokens.done();
        if (this.#ranges === 0) throw new TemplateProblem(at, `${quoted(word)} stands outside of a range.`);
        return { kind: word as "break", at };
    }
  }

  #call(at: number, name: string, pipe: Pipe | undefined): Node {
    if (!this.#called.has(name)) this.#called.set(name, at);
    return { kind: "template", at, name, pipe };
  }

  #define(name: string, at: number): void {
    const [outer, ranges] = [this.#variables, this.#ranges];
    this.#variables = ["$"];
    this.#ranges = 0;
    const body = this.#nested(at, () => this.#list());
    if (body.end?.word !== "end") throw new TemplateProblem(at, "begins an action that no {{ end }} ends.");
    this.#variables = outer;
    this.#ranges = ranges;
    // As in Go: what has nothing but blanks takes the place of nothing else.
    const isEmpty = body.nodes.every((node) => node.kind === "text" && /^[ \t\r\n]*$/.test(node.text));
    const known = this.#defined.get(name);
    const definition = { body: body.nodes, source: this.#source, file: this.#file, isEmpty };
    if (known === undefined || !isEmpty) this.#defined.set(name, definition);
  }

  #branch(kind: "if" | "with" | "range", tokens: Tokens, at: number): Node {
    return this.#nested(at, () => {
      const before = this.#variables.length;
      const pipe = this.#pipe(tokens, kind === "range");
      const within = this.#variables.length;
      if (kind === "range") this.#ranges++;
      const { nodes: body, end } = this.#list();
      if (kind === "range") this.#ranges--;
      if (end === undefined) throw new TemplateProblem(at, "begins an action that no {{ end }} ends.");
      this.#variables.length = within;
      const otherwise = end.word === "else" ? this.#otherwise(kind, end, at) : [];
      this.#variables.length = before;
      return { kind, at, pipe, body, otherwise };
    });
  }

  #otherwise(kind: "if" | "with" | "range", { tokens }: Ending, at: number): readonly Node[] {
    const chained = tokens.action(["if", "with"]);
    if (chained !== undefined) {
      if (chained !== kind)
        throw new TemplateProblem(tokens.at, `has else ${chained} behind ${kind}: write {{ else }}{{ ${chained} … }}.`);
      return [this.#branch(chained as "if", tokens, tokens.at)];
    }
    tokens.done();
    const { nodes, end } = this.#list();
    if (end?.word !== "end") throw new TemplateProblem(at, "begins an action that no {{ end }} ends.");
    return nodes;
  }

  #nested<T>(at: number, read: () => T): T {
    if (++this.#depth > MAX_NESTING)
      throw new TemplateProblem(at, `nests past ${MAX_NESTING} levels: take levels out.`);
    const result = read();
    this.#depth--;
    return result;
  }

  #checkVariable(at: number, name: string): void {
    if (!this.#variables.includes(name))
      throw new TemplateProblem(
        at,
        `there is no variable ${name}${didYouMean(name, this.#variables) || ": define it with := first."}`,
      );
  }

  #pipe(tokens: Tokens, isRange = false): Pipe {
    const { variables, isAssignment } = tokens.declaration(isRange);
    const pipe = this.#nested(tokens.at, () => this.#commands(tokens));
    tokens.done();
    if (isAssignment) for (const name of variables) this.#checkVariable(tokens.at, name);
    else this.#variables.push(...variables);
    if (this.#variables.length > MAX_VARIABLES)
      throw new TemplateProblem(tokens.at, `has more than ${MAX_VARIABLES} variables: take some out.`);
    return { ...pipe, variables, isAssignment };
  }

  #commands(tokens: Tokens): Pipe {
    const { at } = tokens;
    const commands: Command[] = [];
    do commands.push(this.#command(tokens, commands.length > 0));
    while (tokens.take("|"));
    return { at, variables: [], isAssignment: false, commands };
  }

  #command(tokens: Tokens, isPiped: boolean): Command {
    const { at } = tokens;
    const operands: Operand[] = [];
    while (!tokens.isDone && !tokens.sees("|") && !tokens.sees(")")) operands.push(this.#operand(tokens));
    const [first, ...rest] = operands;
    if (first === undefined) throw new TemplateProblem(at, "has no value where one is wanted.");
    const takes = first.kind === "function" || first.kind === "field";
    if (!takes && (isPiped || rest.length > 0))
      throw new TemplateProblem(first.at, "gives arguments to what is no function.");
    if (first.kind === "function" && first.name === "printf" && rest[0]?.kind === "literal")
      checkFormat(rest[0].value, rest[0].at);
    return { at: first.at, operands: [first, ...rest] };
  }

  #operand(tokens: Tokens): Operand {
    let operand = this.#primary(tokens);
    for (let name = tokens.gluedField(); name !== undefined; name = tokens.gluedField()) {
      if (operand.kind === "literal") throw new TemplateProblem(operand.at, "asks a constant for a field.");
      operand = { kind: "field", at: tokens.lastAt, of: operand, name };
    }
    return operand;
  }

  #primary(tokens: Tokens): Operand {
    const token = tokens.next();
    const { at } = token;
    switch (token.kind) {
      case "literal":
        return { kind: "literal", at, value: token.value };
      case "variable":
        this.#checkVariable(at, token.text);
        return { kind: "variable", at, name: token.text };
      case "field":
        return { kind: "field", at, of: { kind: "dot", at }, name: token.text };
      case "word":
        if (LITERALS.has(token.text)) return { kind: "literal", at, value: LITERALS.get(token.text) };
        checkFunction(at, token.text);
        return { kind: "function", at, name: token.text };
      default: {
        if (token.text === ".") return { kind: "dot", at };
        if (token.text !== "(") throw new TemplateProblem(at, `has ${quoted(token.text)} where a value is wanted.`);
        const pipe = this.#nested(at, () => this.#commands(tokens));
        if (!tokens.take(")")) throw new TemplateProblem(at, "opens a parenthesis and does not close it.");
        return { kind: "pipe", at, pipe };
      }
    }
  }
}

function checkFunction(at: number, name: string): void {
  if (FUNCTION_NAMES.has(name)) return;
  if (LATER_FUNCTIONS.has(name)) throw new TemplateProblem(at, `the function ${name} is not available yet.`);
  const hint = didYouMean(name, FUNCTION_NAMES) || ": functions are those of the guide.";
  throw new TemplateProblem(at, `there is no function ${quoted(name)}${hint}`);
}

interface Ending {
  readonly at: number;
  readonly word: "end" | "else";
  readonly tokens: Tokens;
}

/** Tokens of one action. */
class Tokens {
  readonly #action: Piece & { kind: "action" };
  #next = 0;
  /** Where the last one taken stands. */
  lastAt: number;

  constructor(action: Piece & { kind: "action" }) {
    this.#action = action;
    this.lastAt = action.at;
    if (action.tokens.length === 0) throw new TemplateProblem(action.at, "has no value where one is wanted.");
  }

  get #token(): Token | undefined {
    return this.#action.tokens[this.#next];
  }

  get isDone(): boolean {
    return this.#token === undefined;
  }

  /** Of the next one. */
  get at(): number {
    return this.#token?.at ?? this.lastAt;
  }

  next(): Token {
    const token = this.#token;
    if (token === undefined) throw new TemplateProblem(this.lastAt, "has no value where one is wanted.");
    this.#next++;
    this.lastAt = token.at;
    return token;
  }

  sees(mark: string): boolean {
    const token = this.#token;
    return token?.kind === "mark" && token.text === mark;
  }

  take(mark: string): boolean {
    const isThere = this.sees(mark);
    if (isThere) this.next();
    return isThere;
  }

  /** The word, where it is one of these. */
  action(words: readonly string[]): string | undefined {
    const token = this.#token;
    if (token?.kind !== "word" || !words.includes(token.text)) return undefined;
    this.next();
    return token.text;
  }

  name(what: string): string {
    const token = this.next();
    if (token.kind === "literal" && typeof token.value === "string") return token.value;
    throw new TemplateProblem(token.at, `has no name in quotes behind ${what}.`);
  }

  /** A field right behind what was taken. */
  gluedField(): string | undefined {
    const token = this.#token;
    if (token?.kind !== "field" || !token.glued) return undefined;
    this.next();
    return token.text;
  }

  done(): void {
    const token = this.#token;
    if (token === undefined) return;
    const text = token.kind === "literal" ? "a constant" : quoted(token.text);
    throw new TemplateProblem(token.at, `has ${text} where the action should end.`);
  }

  /** Variables before := or =. */
  declaration(isRange: boolean): { variables: string[]; isAssignment: boolean } {
    const [first, mark, second, behind] = this.#action.tokens.slice(this.#next, this.#next + 4);
    const none = { variables: [], isAssignment: false };
    if (first?.kind !== "variable" || mark?.kind !== "mark") return none;
    if (mark.text === ":=" || mark.text === "=") {
      this.#next += 2;
      this.lastAt = mark.at;
      return { variables: [first.text], isAssignment: mark.text === "=" };
    }
    if (!isRange || mark.text !== "," || second?.kind !== "variable" || behind?.kind !== "mark") return none;
    if (behind.text !== ":=" && behind.text !== "=") return none;
    this.#next += 4;
    this.lastAt = behind.at;
    return { variables: [first.text, second.text], isAssignment: behind.text === "=" };
  }
}
