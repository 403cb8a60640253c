/** How often receivers would have been notified by a configuration, beside the one in force. */
import type { ReceiverPreview, TemplateFile } from "../../gen/web/telltale/v1/notification_pb.ts";

type Counted = Pick<ReceiverPreview, "receiver" | "messages" | "atNight">;

export interface ReceiverBar {
  readonly receiver: string;
  /** Messages from 06:00 to 22:00. */
  readonly byDay: number;
  /** Messages from 22:00 to 06:00. */
  readonly atNight: number;
  /** Of the configuration in force, in all; undefined where it has no such receiver. */
  readonly inForce: number | undefined;
  readonly isGone: boolean;
  /** Shares of the longest bar of all, 0 to 1. */
  readonly dayShare: number;
  readonly nightShare: number;
  readonly inForceShare: number;
}

/** Receivers of the file in their order, and after them those that only the configuration in force has. */
export function barsOf(file: readonly Counted[], inForce: readonly Counted[]): ReceiverBar[] {
  const before = new Map(inForce.map(({ receiver, messages }) => [receiver, messages]));
  const names = new Set(file.map(({ receiver }) => receiver));
  const gone = inForce.filter(({ receiver }) => !names.has(receiver));
  const most = Math.max(1, ...[...file, ...inForce].map(({ messages }) => messages));
  const bar = ({ receiver, messages, atNight }: Counted, isGone: boolean): ReceiverBar => ({
    ...{ receiver, byDay: messages - atNight, atNight, isGone, inForce: before.get(receiver) },
    ...{ dayShare: (messages - atNight) / most, nightShare: atNight / most },
    inForceShare: (before.get(receiver) ?? 0) / most,
  });
  return [
    ...file.map((each) => bar(each, false)),
    ...gone.map(({ receiver }) => bar({ receiver, messages: 0, atNight: 0 }, true)),
  ];
}

/** Where a line stands in a text, from 1; undefined for 0, which is the text as a whole, and for a line past its end. */
export function lineRange(text: string, line: number): { readonly from: number; readonly to: number } | undefined {
  const lines = text.split("\n");
  if (line < 1 || line > lines.length) return undefined;
  const from = lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
  return { from, to: from + lines[line - 1]!.length };
}

/** What a list of templates may have of folders before a file's name. */
const FOLDERS = String.raw`(?:[^\s'",\[\]/]+/)*`;

/**
 * A file of templates as the configuration names it: a browser tells a file's name and not its folder. Its name alone where the text does not
 * name it, as where a pattern does.
 */
export function pathOfTemplate(text: string, name: string): string {
  return itemOf(`/?${FOLDERS}${escaped(name)}`).exec(text)?.[0] ?? name;
}

function escaped(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** As an item of a list stands, by itself or in quotes. */
function itemOf(pattern: string): RegExp {
  return new RegExp(String.raw`(?<![^\s'",\[])${pattern}(?![^\s'",\]])`);
}

/**
 * The files of templates that a configuration is tried with: the chosen ones, and of those in force the ones that it names, or that a pattern
 * of it may fit, as long as no chosen one is called the same.
 */
export function templatesFor(
  text: string,
  chosen: readonly { readonly name: string; readonly text: string }[],
  inForce: readonly Pick<TemplateFile, "path" | "text">[],
): Pick<TemplateFile, "path" | "text">[] {
  const own = chosen.map((file) => ({ path: pathOfTemplate(text, file.name), text: file.text }));
  const paths = new Set(own.map(({ path }) => path));
  const names = new Set(chosen.map(({ name }) => name));
  const isPattern = hasPattern(text);
  const counts = (path: string) =>
    !paths.has(path) &&
    (itemOf(escaped(path)).test(text) || (isPattern && !names.has(path.slice(path.lastIndexOf("/") + 1))));
  return [...own, ...inForce.filter(({ path }) => counts(path))];
}

/** Whether the list of templates has an item that may fit several files. */
function hasPattern(text: string): boolean {
  const [, list = ""] = /^templates[ \t]*:([^\n]*(?:\n(?:[ \t\r#\-\]].*)?)*)/m.exec(text) ?? [];
  return /[*?]|\S\[/.test(list.replace(/(^|\s)#.*$/gm, ""));
}

/** For a shell, whatever the file is called. */
export function applyCommand(name: string): string {
  const path = name.startsWith("-") ? `./${name}` : name;
  const word = /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
  return `telltale notify apply ${word}`;
}
