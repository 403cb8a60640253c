/** How often receivers would have been notified by a configuration, beside the one in force. */
import type { ReceiverPreview } from "../../gen/web/telltale/v1/notification_pb.ts";

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
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(String.raw`(?<![^\s'",\[])(/?${FOLDERS}${escaped})(?![^\s'",\]])`).exec(text)?.[1] ?? name;
}
