/** Templates of a configuration: those that have names, and the texts of receivers that may use them. */
import { beginning, oneLine } from "../channels/texts.ts";
import type { Message } from "../message.ts";
import { Budget } from "./budget.ts";
import { templateData } from "./data.ts";
import { DEFAULTS } from "./defaults.ts";
import { evaluate } from "./evaluate.ts";
import { MAX_MESSAGE_STEPS } from "./limits.ts";
import type { Definition, Definitions } from "./nodes.ts";
import { parseTemplate } from "./parse.ts";
import { TemplateProblem } from "./problem.ts";
import type { Struct } from "./values.ts";
import type { Mode } from "./writers.ts";

/** A file that `templates` of a configuration names. */
export interface TemplateFile {
  readonly path: string;
  readonly text: string;
}

/** A text as it is, or one that is filled in for each message. */
export type Text = string | Template;

/** The text, or what its template is written as: the same for all messages. */
export function sourceOf(text: Text): string {
  return typeof text === "string" ? text : text.source;
}

export interface TemplateOptions {
  readonly mode: Mode;
  /** Characters of what it makes; what is longer is cut, or a failure where a part of it would be no whole. */
  readonly most: number;
  readonly isWhole: boolean;
  /** Line breaks become blanks. */
  readonly isLine?: boolean;
}

export abstract class Template {
  /** As it is written. */
  abstract readonly source: string;

  /** @throws Error that says where and why it cannot be filled in */
  abstract fill(filling: Filling): string;
}

class TextTemplate extends Template {
  readonly #o: TemplateOptions & { readonly template: Definition; readonly definitions: Definitions };

  constructor(options: TemplateOptions & { readonly template: Definition; readonly definitions: Definitions }) {
    super();
    this.#o = options;
  }

  override get source(): string {
    return this.#o.template.source;
  }

  override fill({ data, nowUs, routeLabel, budget }: Filling): string {
    const { template, definitions, mode, most, isWhole, isLine = false } = this.#o;
    const text = evaluate({ template, definitions, mode, nowUs, data, routeLabel, budget });
    if (text.length > most && isWhole) throw new Error(`${template.file}: makes more than ${most} characters.`);
    return beginning(isLine ? oneLine(text) : text, most);
  }
}

/** One that cannot be read, in a configuration that an earlier version took: our own text stands in its place. */
export class UnreadTemplate extends Template {
  override readonly source: string;
  readonly #trouble: string;

  /** @param trouble where it is, and why it cannot be read */
  constructor(source: string, trouble: string) {
    super();
    this.source = source;
    this.#trouble = trouble;
  }

  override fill(): never {
    throw new Error(this.#trouble);
  }
}

/** What a message fills its templates in with. */
export interface Filling {
  readonly data: Struct;
  readonly nowUs: number;
  /** By name; "" where there is none. */
  readonly routeLabel: (name: string) => string;
  /** Of all texts that are filled in with it. */
  readonly budget: Budget;
}

export function fillingOf(message: Message, nowUs: number): Filling {
  const { routeLabels = {} } = message;
  const routeLabel = (name: string) => (Object.hasOwn(routeLabels, name) ? routeLabels[name]! : "");
  return { data: templateData(message), nowUs, routeLabel, budget: new Budget(MAX_MESSAGE_STEPS) };
}

/** What is wrong with a file, and where: without a place of its own it is the list that names it. */
export type ReportFile = (file: TemplateFile, offset: number, message: string) => void;

/** Templates by name: Alertmanager's, and those of the files, of which the last one counts. */
export class TemplateLibrary {
  #definitions: Definitions = DEFAULTS;

  /** All files together, because each may use what another defines. */
  load(files: readonly TemplateFile[], report: ReportFile): void {
    const parsed = files.flatMap((file) => {
      try {
        return [{ file, ...parseTemplate(file.text, file.path) }];
      } catch (error) {
        report(file, offsetOf(error), (error as Error).message);
        return [];
      }
    });
    // A file is a template too, by its name without folders.
    const whole = parsed.map(
      ({ file, body }) => [file.path.replace(/^.*\//, ""), { body, source: file.text, file: file.path }] as const,
    );
    this.#definitions = withDefinitions(DEFAULTS, [...whole, ...parsed.flatMap(({ defined }) => [...defined])]);
    if (parsed.length < files.length) return;
    for (const { file, called } of parsed) {
      for (const [name, at] of called) {
        if (!this.#definitions.has(name)) report(file, at, noTemplate(name));
      }
    }
  }

  /** @throws TemplateProblem at the first thing that cannot be taken */
  read(source: string, path: string, options: TemplateOptions): Template {
    const { body, defined, called } = parseTemplate(source, path);
    const definitions = defined.size === 0 ? this.#definitions : withDefinitions(this.#definitions, defined);
    for (const [name, at] of called) {
      if (!definitions.has(name)) throw new TemplateProblem(at, noTemplate(name));
    }
    return new TextTemplate({ ...options, template: { body, source, file: path }, definitions });
  }
}

/** The last one of a name counts, but for those that are empty. */
function withDefinitions(before: Definitions, added: Iterable<readonly [string, Definition]>): Definitions {
  const all = new Map(before);
  for (const [name, definition] of added) if (definition.isEmpty !== true || !all.has(name)) all.set(name, definition);
  return all;
}

function noTemplate(name: string): string {
  return `there is no template ${JSON.stringify(name)}: define it, or add its file to templates.`;
}

function offsetOf(error: unknown): number {
  if (error instanceof TemplateProblem) return error.offset;
  throw error;
}
