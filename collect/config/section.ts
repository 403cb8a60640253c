/** Reads a configuration in YAML. Every fault is named with its line, what stands there and what is wanted; all of them at once. Pure. */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { type Attributes, attributesFault } from "../../formats/attributes.ts";
import { durationMs } from "../../formats/duration.ts";
import { quoted } from "../../server/lib/quoted.ts";
import { didYouMean } from "../../server/lib/suggest.ts";

/** More than these help nobody: the rest is counted. */
const MAX_FAULTS = 20;

/** What is wrong with a configuration: a line for each fault. */
export class ConfigFault extends Error {
  override name = "ConfigFault";
}

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/**
 * @param read takes what it knows from the root; names that it did not ask for are faults
 * @throws ConfigFault
 */
export function readConfig<T>(file: string, text: string, read: (root: Section) => T): T {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    throw new ConfigFault(
      `${file}, line ${broken.linePos?.[0].line ?? 1}: ${broken.message.split("\n")[0]!.replace(/ at line \d+, column \d+:$/, "")}`,
    );
  }
  const faults: { readonly line: number; readonly text: string }[] = [];
  const fault = (node: Node | null | undefined, what: string) => {
    const { line } = lines.linePos(node?.range?.[0] ?? 0);
    faults.push({ line: Math.max(1, line), text: what });
  };
  const resolve = (node: unknown): Node | undefined => {
    const at = node as Node | null | undefined;
    return (at as { resolve?: (of: typeof document) => Node })?.resolve?.(document) ?? at ?? undefined;
  };
  const contents = resolve(document.contents);
  if (!isMap(contents)) throw new ConfigFault(`${file}, line 1: wanted names with values, such as producer: hall-1`);
  const root = new Section({ fault, resolve }, contents, "");
  const result = read(root);
  root.finish();
  if (faults.length === 0) return result;
  faults.sort((a, b) => a.line - b.line);
  const shown = faults.slice(0, MAX_FAULTS).map((each) => `${file}, line ${each.line}: ${each.text}`);
  if (faults.length > MAX_FAULTS) shown.push(`${file}: ${faults.length - MAX_FAULTS} more`);
  throw new ConfigFault(shown.join("\n"));
}

interface Reader {
  fault(node: Node | null | undefined, what: string): void;
  /** What an alias stands for. */
  resolve(node: unknown): Node | undefined;
}

/** A map of the configuration. What is asked for and is bad is noted, and answered with something of the right type. */
export class Section {
  readonly #reader: Reader;
  readonly #node: YAMLMap | undefined;
  readonly #path: string;
  readonly #asked = new Set<string>();
  readonly #inner: Section[] = [];

  /** @param node undefined: nothing stands there */
  constructor(reader: Reader, node: YAMLMap | undefined, path: string) {
    this.#reader = reader;
    this.#node = node;
    this.#path = path;
  }

  has(name: string): boolean {
    this.#asked.add(name);
    return this.#node?.has(name) ?? false;
  }

  /** Those that are of no interest here. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#asked.add(name);
  }

  /** The names that stand here. */
  get names(): string[] {
    return (this.#node?.items ?? []).map(({ key }) => textOf(key) ?? "");
  }

  /** A text that must be there. */
  text(name: string, { max = 1_000, example }: { readonly max?: number; readonly example: string }): string {
    const text = this.optionalText(name, { max });
    if (text !== undefined) return text;
    if (this.#valueOf(name) === undefined) this.missing(name, example);
    return "";
  }

  optionalText(name: string, { max = 1_000 }: { readonly max?: number } = {}): string | undefined {
    const node = this.#valueOf(name);
    if (node === undefined) return undefined;
    const text = textOf(node);
    if (text === undefined || text === "") this.refuse(name, "a text");
    else if ([...text].length > max) this.refuse(name, `at most ${max} characters`);
    else return text;
    return undefined;
  }

  number(name: string, range: NumberRange & { readonly default: number }): number {
    return this.optionalNumber(name, range) ?? range.default;
  }

  requiredNumber(name: string, range: NumberRange & { readonly example: string }): number {
    const given = this.optionalNumber(name, range);
    if (given === undefined && this.#valueOf(name) === undefined) this.missing(name, range.example);
    return given ?? range.min;
  }

  optionalNumber(name: string, { min, max, integer = false }: NumberRange): number | undefined {
    const node = this.#valueOf(name);
    if (node === undefined) return undefined;
    const value = isScalar(node) && typeof node.value === "number" ? node.value : Number.NaN;
    if (value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
    this.refuse(name, `a ${integer ? "whole " : ""}number from ${min} to ${max}`);
    return undefined;
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const text = textOf(this.#valueOf(name));
    const found = choices.find((each) => each === text);
    if (found !== undefined || !this.has(name)) return found ?? fallback;
    this.refuse(name, `one of ${choices.join(", ")}`);
    return fallback;
  }

  /** Milliseconds of a duration such as `1m30s`. */
  duration(name: string, { min, max, fallback }: { min: string; max: string; fallback: number }): number {
    if (!this.has(name)) return fallback;
    const ms = durationMs(textOf(this.#valueOf(name)) ?? "");
    if (ms !== undefined && ms >= (durationMs(min) ?? 0) && ms <= (durationMs(max) ?? 0)) return ms;
    this.refuse(name, `a duration from ${min} to ${max}, such as 500ms, 5s, 1m30s`);
    return fallback;
  }

  /** Where a value may be one or the other. */
  texts(name: string): string[] | undefined {
    const node = this.#valueOf(name);
    if (node === undefined) return undefined;
    const items = isSeq(node) ? node.items.map((item) => textOf(this.#reader.resolve(item))) : [textOf(node)];
    if (items.every((item) => item !== undefined)) return items;
    this.refuse(name, "a text, or a list of texts");
    return undefined;
  }

  attributes(name: string): Attributes | undefined {
    const section = this.section(name);
    const pairs = section.names.map((key) => [key, section.optionalText(key, { max: 256 }) ?? ""] as const);
    const attributes = Object.fromEntries(pairs);
    const fault = attributesFault(attributes, quoted);
    if (fault !== undefined) this.fault(name, fault);
    return pairs.length === 0 ? undefined : attributes;
  }

  /** A map; one without anything in it where it is absent. */
  section(name: string): Section {
    const node = this.#valueOf(name);
    if (node !== undefined && !isMap(node)) this.refuse(name, "names with values");
    return this.#innerSection(isMap(node) ? node : undefined, this.#pathOf(name));
  }

  /** A list of maps, of at least one. */
  sections(name: string, { example }: { readonly example: string }): Section[] {
    const node = this.#valueOf(name);
    if (node === undefined) this.missing(name, example);
    if (!isSeq(node)) {
      if (node !== undefined) this.refuse(name, `a list, such as ${example}`);
      return [];
    }
    if (node.items.length === 0) this.fault(name, `is empty: write for example ${example}`);
    return node.items.map((item, i) => {
      const path = `${this.#pathOf(name)}[${i}]`;
      const map = this.#reader.resolve(item);
      if (!isMap(map)) this.#reader.fault(map, `${path} has no names: write for example ${example}`);
      return this.#innerSection(isMap(map) ? map : undefined, path);
    });
  }

  missing(name: string, example: string): void {
    this.#asked.add(name);
    this.#reader.fault(this.#node, `${this.#pathOf(name)} is missing: write for example ${name}: ${example}`);
  }

  /** What stands under the name is not what is wanted. */
  refuse(name: string, wanted: string): void {
    const node = this.#valueOf(name);
    const text = textOf(node);
    this.fault(name, `is ${text === undefined ? kindOf(node) : quoted(text)}, but it must be ${wanted}`);
  }

  /** @param what the end of a sentence that begins with the name */
  fault(name: string, what: string): void {
    this.#reader.fault(this.#valueOf(name) ?? this.#node, `${this.#pathOf(name)} ${what}`);
  }

  /** Names of it, and of what it holds, that nobody has asked for. */
  finish(): void {
    for (const { key } of this.#node?.items ?? []) {
      const name = textOf(key) ?? "";
      if (this.#asked.has(name)) continue;
      const meant = /^\d+$/.test(name)
        ? ": a comma ends a value here; write a number with a decimal point"
        : didYouMean(name, this.#asked) || `: there are ${[...this.#asked].join(", ")}`;
      this.#reader.fault(key as Node, `${this.#pathOf(name)} is no setting${meant}`);
    }
    for (const inner of this.#inner) inner.finish();
  }

  #valueOf(name: string): Node | undefined {
    this.#asked.add(name);
    return this.#reader.resolve(this.#node?.get(name, true));
  }

  #innerSection(node: YAMLMap | undefined, path: string): Section {
    const inner = new Section(this.#reader, node, path);
    this.#inner.push(inner);
    return inner;
  }

  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }
}

/** A scalar as it was written: 007 stays 007. */
function textOf(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null) return undefined;
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

function kindOf(node: unknown): string {
  if (isMap(node)) return "an object";
  return isSeq(node) ? "a list" : "empty";
}
