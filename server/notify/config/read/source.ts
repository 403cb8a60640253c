/** A YAML file under examination: its tree with places, and what is wrong with it. */
import { type Alias, type Document, isAlias, LineCounter, type Node, parseDocument, type Scalar, visit } from "yaml";
import { placeIn } from "../../templates/problem.ts";
import { TemplateLibrary } from "../../templates/template.ts";
import { MAX_FILE_CHARACTERS, MAX_INSTRUCTIONS, MAX_PROBLEMS, MAX_VALUES } from "../limits.ts";
import type { Problem } from "../problem.ts";
import type { Reference } from "../reference.ts";

/** Every scalar is a text: 007 stays 007, and its reader says what it is. That names differ is for readers too: the library compares all. */
export const YAML = { schema: "failsafe", uniqueKeys: false, prettyErrors: false } as const;

/** Ends the reading where there is no sense in more of it; the problem is reported already. */
export class Stop extends Error {}

export class Source {
  readonly #problems: Problem[] = [];
  /** What a new file may not have, and one that is in force already is used in spite of. */
  readonly #flaws: Problem[] = [];
  /** By place: what several receivers inherit is read for each. */
  readonly #references = new Map<number, Reference>();
  readonly #lines = new LineCounter();
  readonly #document: Document | undefined;
  readonly #targets = new Map<Alias, Node>();
  readonly #text: string;
  /** Loaded before what uses them is read. */
  readonly templates = new TemplateLibrary();
  #values = 0;
  #instructions = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.length > MAX_FILE_CHARACTERS) {
      this.report(
        0,
        "",
        `has ${text.length} characters: at most ${MAX_FILE_CHARACTERS} are taken; split the receivers.`,
      );
      return;
    }
    this.#document = parseDocument(text, { ...YAML, lineCounter: this.#lines });
    const { errors = [], warnings = [] } = this.#document ?? {};
    for (const { code, message, pos } of [...errors, ...warnings].slice(0, MAX_PROBLEMS - 1))
      this.report(pos[0], "", yamlTrouble(code, message));
    if (!this.hasProblems && this.#document !== undefined) this.#bind(this.#document);
  }

  /** Undefined where the file is empty, or no YAML. */
  get root(): Node | undefined {
    return this.hasProblems ? undefined : (this.#document?.contents ?? undefined);
  }

  get hasProblems(): boolean {
    return this.#problems.length > 0;
  }

  /** With the flaws, from the file's beginning to its end. */
  get problems(): Problem[] {
    const all = [...this.#problems, ...this.#flaws];
    return all.toSorted((a, b) => a.line - b.line || a.column - b.column).slice(0, MAX_PROBLEMS);
  }

  /** From the file's beginning to its end. */
  get references(): Reference[] {
    return [...this.#references.values()].toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  /** A file or a variable is named there. */
  refer(offset: number, path: string, to: Reference["to"]): void {
    this.#references.set(offset, { ...this.#placeAt(offset), path, to });
  }

  /** @throws Stop where it is one too many */
  report(offset: number, path: string, message: string): undefined {
    this.#problems.push({ ...this.#placeAt(offset), path, message });
    if (this.#problems.length >= MAX_PROBLEMS) throw new Stop();
  }

  /** The same of what does not keep the rest from being used, where the file is in force already. */
  reportFlaw(offset: number, path: string, message: string): void {
    if (this.#flaws.length < MAX_PROBLEMS) this.#flaws.push({ ...this.#placeAt(offset), path, message });
  }

  #placeAt(offset: number): Pick<Problem, "line" | "column"> {
    const { line, col } = this.#lines.linePos(offset);
    // Without any line break before the place there is no line.
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  /**
   * The node that an alias stands for.
   *
   * @throws Stop where more was read than a file may have
   */
  resolve(node: Node, path: string): Node | undefined {
    if (++this.#values > MAX_VALUES) {
      this.report(
        node.range?.[0] ?? 0,
        path,
        `is past ${MAX_VALUES} values, aliases as often as they are used: use fewer.`,
      );
      throw new Stop();
    }
    if (!isAlias(node)) return node;
    const found = this.#targets.get(node);
    if (found === undefined)
      this.report(node.range?.[0] ?? 0, path, `no value before it has the anchor &${node.source}.`);
    return found;
  }

  /** Where a character of a text stands in the file; of one that is written with escapes or folded lines: where the text begins. */
  placeWithin(
    { range, type }: Scalar,
    text: string,
    at: number,
  ): { readonly offset: number; readonly isExact: boolean } {
    const start = range![0];
    if (type === "BLOCK_LITERAL") return { offset: this.#offsetInBlock(start, text, at), isExact: true };
    const first = type === "PLAIN" ? start : start + 1;
    const isExact = this.#text.startsWith(text, first);
    return { offset: isExact ? first + at : start, isExact };
  }

  /** Its lines are lines of the file, all indented by as many blanks. */
  #offsetInBlock(start: number, text: string, at: number): number {
    const { line, column } = placeIn(text, at);
    const own = text.split("\n")[line - 1]!;
    let begins = start;
    for (let i = 0; i < line; i++) begins = this.#text.indexOf("\n", begins) + 1;
    const ends = this.#text.indexOf("\n", begins);
    const written = this.#text.slice(begins, ends < 0 ? undefined : ends).replace(/\r$/, "");
    return begins + (written.length - own.length) + column - 1;
  }

  /**
   * Counts a regular expression of so many instructions.
   *
   * @throws Stop where all of them together have too many
   */
  spend(offset: number, path: string, instructions: number): void {
    this.#instructions += instructions;
    if (this.#instructions <= MAX_INSTRUCTIONS) return;
    this.report(offset, path, "is too large with the expressions before it: write fewer repetitions such as {1,100}.");
    throw new Stop();
  }

  /** Aliases to what they stand for, in one pass: the library looks through the whole document for each. */
  #bind(document: Document): void {
    const anchors = new Map<string, Node>();
    visit(document, {
      Node: (_, node) => {
        const target = isAlias(node) ? anchors.get(node.source) : undefined;
        if (isAlias(node)) target && this.#targets.set(node, target);
        else if (node.anchor !== undefined) anchors.set(node.anchor, node);
      },
    });
  }
}

function yamlTrouble(code: string, message: string): string {
  // The library's own recursion: it ends at some thousand levels.
  if (/call stack|stack overflow/i.test(message)) return "nests too deep to be read: take levels out.";
  switch (code) {
    case "MULTIPLE_DOCS":
      return "a second document begins: write one document, without a line of ---.";
    default:
      // Behind a colon the parser quotes the file, which may have secrets.
      return `this is no YAML: ${message.replace(/:? "[\s\S]*$/, "")}.`;
  }
}
