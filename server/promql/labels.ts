/** Labels of a series in the order of their names, none of them empty. */
import { failed } from "./errors.ts";

export const METRIC_NAME = "__name__";

export type LabelEntry = readonly [name: string, value: string];

export class Labels {
  readonly entries: readonly LabelEntry[];
  #key: string | undefined;

  /** @param entries sorted by name, each name once, no value empty */
  constructor(entries: readonly LabelEntry[]) {
    this.entries = entries;
  }

  static of(values: Iterable<LabelEntry>): Labels {
    const entries = [...values].filter(([, value]) => value !== "");
    return new Labels(entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  }

  /** The same for equal labels, and for no others. */
  get key(): string {
    this.#key ??= JSON.stringify(this.entries);
    return this.#key;
  }

  get(name: string): string {
    return this.entries.find(([each]) => each === name)?.[1] ?? "";
  }

  only(names: ReadonlySet<string>): Labels {
    return new Labels(this.entries.filter(([name]) => names.has(name)));
  }

  without(names: ReadonlySet<string>): Labels {
    return new Labels(this.entries.filter(([name]) => !names.has(name)));
  }

  with(name: string, value: string): Labels {
    return Labels.of([...this.entries.filter(([each]) => each !== name), [name, value]]);
  }

  get withoutName(): Labels {
    return this.get(METRIC_NAME) === "" ? this : this.without(NAME_ALONE);
  }

  toString(): string {
    const pairs = this.withoutName.entries.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    return `${this.get(METRIC_NAME)}{${pairs.join(", ")}}`;
  }
}

const NAME_ALONE: ReadonlySet<string> = new Set([METRIC_NAME]);

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_.]*$/;

/** @throws QueryProblem "execution" for a name that no label can have */
export function checkLabelName(what: string, name: string): void {
  if (!LABEL_NAME.test(name)) throw failed(`${what}: ${JSON.stringify(name)} is no name of a label`);
}
