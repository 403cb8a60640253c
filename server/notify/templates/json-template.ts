/** JSON of texts that are filled in, as `payload` of a webhook has it. */
import { parse } from "yaml";
import { type Filling, Template, type Text } from "./template.ts";

/** As it is written; names are filled in too. */
export type JsonText = Text | readonly JsonText[] | ReadonlyMap<Text, JsonText>;

/** As in Alertmanager: what a text says in YAML is what it is, so that one may make a number, a list or an object. */
export class JsonTemplate extends Template {
  readonly #tree: JsonText;
  readonly #file: string;
  readonly #maxBytes: number;

  /** @param file what it is called in messages */
  constructor(tree: JsonText, { file, maxBytes }: { readonly file: string; readonly maxBytes: number }) {
    super();
    this.#tree = tree;
    this.#file = file;
    this.#maxBytes = maxBytes;
  }

  /** Where it is: a tree is written nowhere as one text. */
  override get source(): string {
    return this.#file;
  }

  override fill(filling: Filling): string {
    const made = JSON.stringify(jsonOf(this.#tree, filling));
    if (Buffer.byteLength(made) <= this.#maxBytes) return made;
    throw new Error(`${this.#file}: makes more than ${this.#maxBytes} bytes.`);
  }
}

function jsonOf(tree: JsonText, filling: Filling): unknown {
  if (typeof tree === "string" || tree instanceof Template) return scalar(filled(tree, filling));
  if (!(tree instanceof Map)) return (tree as readonly JsonText[]).map((each) => jsonOf(each, filling));
  return Object.fromEntries(
    [...(tree as ReadonlyMap<Text, JsonText>)].map(([name, each]) => [filled(name, filling), jsonOf(each, filling)]),
  );
}

function filled(text: Text, filling: Filling): string {
  return typeof text === "string" ? text : text.fill(filling);
}

/** A text that is a string in JSON is that string, and another one itself: YAML would fold its lines. */
function scalar(text: string): unknown {
  const value = fromYaml(text);
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value;
  if (typeof value !== "string") return value;
  return text.startsWith('"') ? value : text;
}

function fromYaml(text: string): unknown {
  try {
    // Aliases within aliases grow without end.
    return parse(text, { logLevel: "silent", uniqueKeys: false, maxAliasCount: 0 });
  } catch {
    return text; // as Alertmanager has it: a text that is no YAML is a text
  }
}
