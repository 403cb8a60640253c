/** Fills a template in. Pure and bounded: so many steps, calls and characters, and it ends with what there is no sense in. */
import type { Budget } from "./budget.ts";
import { Failure } from "./failure.ts";
import { checkCount, functions } from "./functions.ts";
import { CHARACTERS_PER_STEP, MAX_CALLS, MAX_OUTPUT_CHARACTERS, MAX_STEPS } from "./limits.ts";
import { methodOf } from "./methods.ts";
import type { Command, Definition, Definitions, Node, Operand, Pipe } from "./nodes.ts";
import { placeIn, TemplateProblem } from "./problem.ts";
import { Dict, isTrue, Labels, List, type Method, Safe, Struct, typeName, type Value, weightOf } from "./values.ts";
import { type Mode, type Writer, writerOf } from "./writers.ts";

export interface Evaluation {
  readonly template: Definition;
  readonly definitions: Definitions;
  readonly data: Value;
  readonly mode: Mode;
  readonly nowUs: number;
  /** Of the route by which the message is sent, by name; "" where there is none. */
  readonly routeLabel: (name: string) => string;
  /** That it has with other texts. */
  readonly budget: Budget;
}

/** @throws Error that names the file, the line and what failed */
export function evaluate(evaluation: Evaluation): string {
  return new Evaluator(evaluation).run();
}

type Ended = "break" | "continue" | undefined;

/** Variables, the inner ones last. */
type Scope = { readonly name: string; value: Value }[];

class Evaluator {
  readonly #o: Evaluation;
  readonly #functions: ReadonlyMap<string, Method>;
  readonly #writer: Writer;
  readonly #pieces: string[] = [];
  #characters = 0;
  #steps = 0;
  #calls = 0;
  #current: Definition;

  constructor(evaluation: Evaluation) {
    this.#o = evaluation;
    this.#current = evaluation.template;
    this.#writer = writerOf(evaluation.mode);
    this.#functions = functions({
      nowUs: evaluation.nowUs,
      spend: (steps) => this.#spend(steps),
      routeLabel: evaluation.routeLabel,
    });
  }

  run(): string {
    const { template, data } = this.#o;
    try {
      this.#call(template, data);
    } catch (error) {
      if (!(error instanceof TemplateProblem)) throw error;
      const { source, file } = this.#current;
      const { line, column } = placeIn(source, error.offset);
      throw new Error(`${file}:${line}:${column}: ${error.message}`, { cause: error });
    }
    return this.#pieces.join("");
  }

  #call(template: Definition, data: Value): void {
    const before = this.#current;
    this.#current = template;
    this.#calls++;
    this.#list(template.body, data, [{ name: "$", value: data }]);
    this.#calls--;
    this.#current = before;
  }

  #list(nodes: readonly Node[], dot: Value, scope: Scope): Ended {
    for (const node of nodes) {
      const ended = this.#node(node, dot, scope);
      if (ended !== undefined) return ended;
    }
    return undefined;
  }

  #node(node: Node, dot: Value, scope: Scope): Ended {
    this.#at(node.at, () => this.#spend(1));
    switch (node.kind) {
      case "text":
        this.#write(node.at, (writer) => writer.markup(node.text));
        return undefined;
      case "print": {
        const value = this.#pipe(node.pipe, dot, scope);
        if (node.pipe.variables.length === 0)
          this.#write(node.at, (writer) => writer.value(escapedBy(node.pipe, value), node.pipe));
        return undefined;
      }
      case "if":
      case "with":
        return this.#choose(node, dot, scope);
      case "range":
        return this.#range(node, dot, scope);
      case "template":
        this.#template(node, dot, scope);
        return undefined;
      default:
        return node.kind;
    }
  }

  #choose(node: Node & { kind: "if" | "with" | "range" }, dot: Value, scope: Scope): Ended {
    const before = scope.length;
    const value = this.#pipe(node.pipe, dot, scope);
    const inner = node.kind === "with" && isTrue(value) ? value : dot;
    const ended = this.#list(isTrue(value) ? node.body : node.otherwise, inner, scope);
    scope.length = before;
    return ended;
  }

  #range({ at, pipe, body, otherwise }: Node & { kind: "range" | "if" | "with" }, dot: Value, scope: Scope): Ended {
    const before = scope.length;
    const over = this.#pipe({ ...pipe, variables: [] }, dot, scope);
    const entries = this.#at(at, () => entriesOf(over));
    let isEmpty = true;
    for (const [key, value] of entries) {
      isEmpty = false;
      this.#at(at, () => this.#spend(1));
      const named = pipe.variables.length === 1 ? [value] : [key, value];
      for (const [i, name] of pipe.variables.entries()) this.#set(scope, name, named[i], pipe.isAssignment);
      const ended = this.#list(body, value, scope);
      scope.length = before;
      if (ended === "break") break;
    }
    return isEmpty ? this.#list(otherwise, dot, scope) : undefined;
  }

  #template({ at, name, pipe }: Node & { kind: "template" }, dot: Value, scope: Scope): void {
    const template = this.#o.definitions.get(name);
    if (template === undefined) throw new TemplateProblem(at, `there is no template ${JSON.stringify(name)}.`);
    if (this.#calls >= MAX_CALLS) throw new TemplateProblem(at, `templates call each other past ${MAX_CALLS} levels.`);
    this.#call(template, pipe === undefined ? undefined : this.#pipe(pipe, dot, scope));
  }

  #pipe({ variables, isAssignment, commands }: Pipe, dot: Value, scope: Scope): Value {
    let value: Value;
    for (const [i, command] of commands.entries()) value = this.#command(command, dot, scope, i === 0 ? [] : [value]);
    for (const name of variables) this.#set(scope, name, value, isAssignment);
    return value;
  }

  #set(scope: Scope, name: string, value: Value, isAssignment: boolean): void {
    const known = isAssignment ? scope.findLast((each) => each.name === name) : undefined;
    if (known === undefined) scope.push({ name, value });
    else known.value = value;
  }

  #command({ operands: [first, ...rest] }: Command, dot: Value, scope: Scope, piped: readonly Value[]): Value {
    if (first.kind === "function" && (first.name === "and" || first.name === "or"))
      return this.#logical(first, rest, dot, scope, piped);
    const args = () => [...rest.map((each) => this.#operand(each, dot, scope)), ...piped];
    if (first.kind === "function") {
      const call = this.#functions.get(first.name)!;
      const given = args();
      return this.#at(first.at, () => {
        this.#weigh(given);
        return call(given);
      });
    }
    if (first.kind === "field") return this.#field(first, dot, scope, args());
    return this.#operand(first, dot, scope);
  }

  /** Up to the first that decides. */
  #logical(
    first: Operand & { kind: "function" },
    rest: readonly Operand[],
    dot: Value,
    scope: Scope,
    piped: readonly Value[],
  ): Value {
    this.#at(first.at, () => checkCount(first.name, rest.length + piped.length, 1, 100));
    let value: Value;
    for (const each of rest) {
      value = this.#operand(each, dot, scope);
      if (isTrue(value) === (first.name === "or")) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }

  #operand(operand: Operand, dot: Value, scope: Scope): Value {
    this.#at(operand.at, () => this.#spend(1));
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return dot;
      case "variable":
        return scope.findLast(({ name }) => name === operand.name)?.value;
      case "function":
        return this.#command({ at: operand.at, operands: [operand] }, dot, scope, []);
      case "pipe":
        return this.#pipe(operand.pipe, dot, scope);
      case "field":
        return this.#field(operand, dot, scope, []);
    }
  }

  #field({ at, of, name }: Operand & { kind: "field" }, dot: Value, scope: Scope, args: readonly Value[]): Value {
    const from = this.#operand(of, dot, scope);
    return this.#at(at, () => {
      const method = methodOf(from, name);
      if (method === undefined) return fieldOf(from, name, args);
      this.#weigh([from, ...args]);
      return method(args);
    });
  }

  #write(at: number, make: (writer: Writer) => string): void {
    this.#at(at, () => {
      const text = make(this.#writer);
      this.#characters += text.length;
      if (this.#characters > MAX_OUTPUT_CHARACTERS)
        throw new Failure(`makes more than ${MAX_OUTPUT_CHARACTERS} characters.`);
      this.#pieces.push(text);
    });
  }

  /** To look at a value is work, whatever comes of it. */
  #weigh(values: readonly Value[]): void {
    const characters = values.reduce((sum: number, value) => sum + weightOf(value), 0);
    this.#spend(Math.floor(characters / CHARACTERS_PER_STEP));
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MAX_STEPS) throw new Failure(`takes more than ${MAX_STEPS} steps.`);
    this.#o.budget.spend(steps);
  }

  #at<T>(at: number, run: () => T): T {
    try {
      const made = run();
      if (typeof made !== "string") return made;
      if (made.length > MAX_OUTPUT_CHARACTERS)
        throw new Failure(`makes more than ${MAX_OUTPUT_CHARACTERS} characters.`);
      // Long texts that are made again and again are work too.
      this.#spend(Math.floor(made.length / CHARACTERS_PER_STEP));
      return made;
    } catch (error) {
      throw error instanceof Failure ? new TemplateProblem(at, error.message) : error;
    }
  }
}

/** html and urlquery at the end of a pipe have done what the place asks for: it is not done twice. */
function escapedBy({ commands }: Pipe, value: Value): Value {
  const last = commands.at(-1)!.operands[0];
  if (last.kind !== "function" || typeof value !== "string") return value;
  if (last.name === "html") return new Safe(value, "escaped");
  return last.name === "urlquery" ? new Safe(value, "query") : value;
}

function entriesOf(value: Value): Iterable<readonly [Value, Value]> {
  if (value === undefined) return [];
  if (value instanceof List) return value.items.map((item, at) => [at, item] as const);
  if (value instanceof Labels || value instanceof Dict) return [...value.entries];
  if (typeof value === "number") return upTo(value);
  throw new Failure(`range wants a list, labels or a whole number, and gets ${typeName(value)}.`);
}

function* upTo(count: number): Iterable<readonly [Value, Value]> {
  for (let i = 0; i < count; i++) yield [i, i];
}

function fieldOf(from: Value, name: string, args: readonly Value[]): Value {
  if (args.length > 0) throw new Failure(`gives arguments to ${name}, which takes none.`);
  if (from instanceof Struct && Object.hasOwn(from.fields, name)) return from.fields[name];
  if (from instanceof Labels) return from.entries.get(name) ?? "";
  if (from instanceof Dict) return from.entries.get(name);
  throw new Failure(`asks ${typeName(from)} for ${name}, which it does not have.`);
}
