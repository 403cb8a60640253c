/** Values of a file as their readers want them. */
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, Scalar } from "yaml";
import { quoted } from "../../../lib/quoted.ts";
import { didYouMean } from "../../../lib/suggest.ts";
import { placeIn, TemplateProblem } from "../../templates/problem.ts";
import { type TemplateOptions, type Text, UnreadTemplate } from "../../templates/template.ts";
import type { Mode } from "../../templates/writers.ts";
import { MAX_LINE, MAX_LIST, MAX_NAME, MAX_TEMPLATE, MAX_TEXT } from "../limits.ts";
import { isRedacted, REDACTED } from "../redact.ts";
import type { Reference } from "../reference.ts";
import type { Source } from "./source.ts";

/** Names that an object may have. */
export interface Known {
  /** As in "is no setting of a route". */
  readonly of: string;
  readonly names: readonly string[];
  /** Names that Alertmanager has and that are not available yet. */
  readonly later?: readonly string[];
  /** What to do about those. */
  readonly instead?: string;
}

const TRUE = /^(?:true|yes|on|y)$/i;
const FALSE = /^(?:false|no|off|n)$/i;
/** What YAML takes for no value, where it is not in quotes. */
const NULL = /^(?:|~|null)$/i;
const CONTROL = /\p{Cc}/u;
/** Of `<<` within what `<<` merges: one that merges itself has no end. */
const MAX_MERGE_DEPTH = 10;
const SIMPLE_NAME = /^[\w-]+$/;

/**
 * A value with its place. Readers report what is wrong with it and give undefined instead, so that all problems of a file are found at
 * once; whoever asked for the value uses anything in its place, because a file with a problem is refused.
 */
export class Value {
  readonly path: string;
  readonly #source: Source;
  readonly #node: Node | undefined;
  readonly #offset: number;

  constructor(source: Source, path: string, node: Node) {
    this.path = path;
    this.#source = source;
    this.#node = source.resolve(node, path);
    this.#offset = node.range?.[0] ?? 0;
  }

  /** Whether nothing is written there. */
  get isNothing(): boolean {
    return isScalar(this.#node) && this.#node.type === "PLAIN" && NULL.test(String(this.#node.value));
  }

  /** Whether it is [] or {}. */
  get isEmpty(): boolean {
    return (isSeq(this.#node) || isMap(this.#node)) && this.#node.items.length === 0;
  }

  get kind(): "object" | "list" | "scalar" | undefined {
    if (isMap(this.#node)) return "object";
    if (isSeq(this.#node)) return "list";
    return this.#node === undefined ? undefined : "scalar";
  }

  problem(message: string): undefined {
    this.#source.report(this.#offset, this.path, message);
  }

  /**
   * A problem of a new file, and none that keeps one from being used that is in force already, because an earlier version took it: what is
   * newly refused is reported so, and its reader goes on as before.
   */
  flaw(message: string): void {
    this.#source.reportFlaw(this.#offset, this.path, message);
  }

  /** It names a file or a variable. */
  refer(to: Reference["to"]): void {
    this.#source.refer(this.#offset, this.path, to);
  }

  /** Counts what compiling the value takes. */
  spend(instructions: number): void {
    this.#source.spend(this.#offset, this.path, instructions);
  }

  /** An object whose names are known. */
  fields(known: Known): Fields | undefined {
    const pairs = this.#pairs(`wanted settings of ${known.of}`);
    return pairs && new Fields(this, known, this.#taken(pairs, known));
  }

  /** An object with any names, such as labels. */
  entries(most = MAX_LIST): (readonly [name: string, value: Value])[] {
    const pairs = [...(this.#pairs("wanted names with values") ?? [])];
    if (pairs.length > most) this.problem(`has ${pairs.length} names: at most ${most} are taken.`);
    return pairs.slice(0, most).map(([name, { value }]) => [name, this.#child(name, value)] as const);
  }

  /** The same with names that may be templates. */
  templatedEntries(options: TemplateOptions): (readonly [name: Text, value: Value])[] {
    return this.entries().map(([name, value]) => [value.#template(name, options) ?? name, value] as const);
  }

  items(most = MAX_LIST): Value[] {
    const node = this.#node;
    if (node === undefined) return [];
    if (!isSeq(node)) {
      this.problem("is no list: write [ ] around it, or a dash before each entry.");
      return [];
    }
    if (node.items.length > most) this.problem(`has ${node.items.length} entries: at most ${most} are taken.`);
    return node.items.slice(0, most).map((item, i) => new Value(this.#source, `${this.path}[${i}]`, item as Node));
  }

  /** Any text, which may be a secret: messages do not quote it. */
  text(most = MAX_TEXT): string | undefined {
    const node = this.#node;
    if (node === undefined) return undefined;
    if (!isScalar(node)) return this.problem("is no text.");
    if (this.isNothing) return this.problem('is empty: write a value, or "" for the empty text.');
    const text = String(node.value);
    if (isRedacted(text)) {
      return this.problem(`is ${REDACTED}, as a configuration is shown: write the secret itself, or refer to a file.`);
    }
    if (text.length > most) return this.problem(`has ${text.length} characters: at most ${most} are taken.`);
    return text;
  }

  /** PEM, which is longer than other texts. */
  block(): string | undefined {
    const text = this.text(MAX_TEMPLATE);
    if (text === undefined || text.includes("-----BEGIN ")) return text;
    return this.problem("is no PEM: it begins with -----BEGIN.");
  }

  /** A text on one line that is not empty. */
  line(most = MAX_TEXT): string | undefined {
    const text = this.text();
    if (text === undefined) return undefined;
    if (text === "") return this.problem("is empty: write a value.");
    if (CONTROL.test(text)) return this.problem("has a line break or another control character: take it out.");
    if (text.length > most) return this.problem(`has ${text.length} characters: at most ${most} are taken.`);
    return text;
  }

  name(): string | undefined {
    return this.line(MAX_NAME);
  }

  /** A text, or a template of one. */
  templated(options: TemplateOptions): Text | undefined {
    const text = this.text(MAX_TEMPLATE);
    return text === undefined ? undefined : this.#template(text, options, this.#node as Scalar);
  }

  /** @param node where the text stands; absent: elsewhere */
  #template(text: string, options: TemplateOptions, node?: Scalar): Text | undefined {
    if (!text.includes("{{")) return text;
    try {
      return this.#source.templates.read(text, this.path, options);
    } catch (error) {
      if (!(error instanceof TemplateProblem)) throw error;
      const place = node && this.#source.placeWithin(node, text, error.offset);
      const { line, column } = placeIn(text, error.offset);
      const where = place?.isExact ? "" : `at line ${line}, column ${column} of the text: `;
      this.#source.reportFlaw(place?.offset ?? this.#offset, this.path, where + error.message);
      return new UnreadTemplate(text, `${this.path}:${line}:${column}: ${error.message}`);
    }
  }

  /** A text on one line, or a template of one. `mode`: of its values. */
  templatedLine(mode: Mode = "text"): Text | undefined {
    return this.#lineOr(() => this.templated({ mode, most: MAX_LINE, isWhole: false, isLine: true }));
  }

  /** Where a message goes, or a template of that: too long a one is a failure, because its beginning is another place. */
  templatedPlace(most = MAX_LINE): Text | undefined {
    return this.#lineOr(() => this.templated({ mode: "text", most, isWhole: true, isLine: true }));
  }

  #lineOr(template: () => Text | undefined): Text | undefined {
    return isScalar(this.#node) && String(this.#node.value).includes("{{") ? template() : this.line();
  }

  /** A text on one line in which Alertmanager would fill in a template, and that is the same for all messages here. */
  untemplated(): string | undefined {
    const text = this.line();
    if (text === undefined || !text.includes("{{")) return text;
    return this.problem("has a template, which is not available here: write the text itself, or remove it.");
  }

  flag(): boolean | undefined {
    const text = this.line();
    if (text === undefined) return undefined;
    if (TRUE.test(text)) return true;
    return FALSE.test(text) ? false : this.problem(`${quoted(text)} is neither true nor false.`);
  }

  count(most: number): number | undefined {
    const text = this.line();
    if (text === undefined) return undefined;
    if (/^\d{1,15}$/.test(text) && Number(text) <= most) return Number(text);
    return this.problem(`${quoted(text)} is no whole number from 0 to ${most}.`);
  }

  /** Names of a list, each of them once, with their places. */
  names(what: string): Map<string, Value> {
    const found = new Map<string, Value>();
    for (const item of this.items()) {
      const name = item.name();
      if (name === undefined) continue;
      if (found.has(name)) item.problem(`${what} ${quoted(name)} is there twice: take one out.`);
      found.set(name, item);
    }
    return found;
  }

  #taken(
    pairs: Map<string, KeyAndValue>,
    { of, names, later = [], instead = "remove it." }: Known,
  ): Map<string, Value> {
    const taken = new Map<string, Value>();
    for (const [name, { key, value }] of pairs) {
      const place = this.#child(name, value);
      if (names.includes(name)) {
        if (!place.isNothing) taken.set(name, place);
      } else {
        const message = later.includes(name)
          ? `is not available yet: ${instead}`
          : `${quoted(name)} is no setting of ${of}${didYouMean(name, names) || ": remove it."}`;
        this.#source.report(key.range?.[0] ?? 0, place.path, message);
      }
    }
    return taken;
  }

  #child(name: string, node: Node): Value {
    const step = SIMPLE_NAME.test(name) ? name : quoted(name);
    return new Value(this.#source, this.path === "" ? step : `${this.path}.${step}`, node);
  }

  /** By name; what `<<` merges in counts where the object itself does not have the name. */
  #pairs(wanted: string, depth = 0): Map<string, KeyAndValue> | undefined {
    const node = this.#node;
    if (node === undefined) return undefined;
    if (!isMap(node)) return this.problem(`${wanted}, such as name: value.`);
    const own = new Map<string, KeyAndValue>();
    const merged: Value[] = [];
    for (const pair of node.items as Pair<Node, Node>[]) {
      const key = isAlias(pair.key) ? this.#source.resolve(pair.key, this.path) : pair.key;
      if (!isScalar(key)) this.#source.report(pair.key.range?.[0] ?? 0, this.path, "a name is no text.");
      else if (isMergeKey(key)) merged.push(new Value(this.#source, this.path, pair.value ?? nothingAt(key)));
      else {
        const name = String(key.value);
        if (own.has(name))
          this.#source.report(key.range?.[0] ?? 0, this.path, `${quoted(name)} is there twice: keep one.`);
        own.set(name, { key: pair.key, value: pair.value ?? nothingAt(key) });
      }
    }
    if (merged.length > 0 && depth >= MAX_MERGE_DEPTH) return this.problem(`merges << past ${MAX_MERGE_DEPTH} levels.`);
    for (const from of merged) {
      const sources = isSeq(from.#node) ? from.items() : [from];
      for (const each of sources)
        for (const [name, pair] of each.#pairs("<< wants an object", depth + 1) ?? [])
          if (!own.has(name)) own.set(name, pair);
    }
    return own;
  }
}

interface KeyAndValue {
  readonly key: Node;
  readonly value: Node;
}

function isMergeKey(key: Scalar): boolean {
  return key.value === "<<" && key.type === "PLAIN";
}

function nothingAt({ range }: Scalar): Scalar {
  return Object.assign(new Scalar(""), { type: "PLAIN" as const, range: range ?? null });
}

/** The settings of an object; those that are empty are as if they were not there. */
export class Fields {
  /** The object itself. */
  readonly at: Value;
  readonly #known: Known;
  readonly #values: ReadonlyMap<string, Value>;

  constructor(at: Value, known: Known, values: ReadonlyMap<string, Value>) {
    this.at = at;
    this.#known = known;
    this.#values = values;
  }

  get(name: string): Value | undefined {
    if (!this.#known.names.includes(name)) throw new Error(`${name} is not among the known names of ${this.#known.of}`);
    return this.#values.get(name);
  }

  /** Reports it where it is missing. */
  required(name: string): Value | undefined {
    const value = this.get(name);
    if (value === undefined) this.at.problem(`has no ${name}: write one.`);
    return value;
  }
}
