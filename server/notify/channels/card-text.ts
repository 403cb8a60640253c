/**
 * Markdown of a configuration as runs of an Adaptive Card: bold, italic, struck through, code, links, lists and headings. The card's own
 * Markdown is not used: what of it a program of Teams reads, and how values would be escaped there, differs from one to the next.
 *
 * No parser of Markdown beneath it: of `marked` (18) tags, entities, bare addresses and pictures would have to be made text again, and its code
 * spans have no escapes, by which values are kept from ending one. Styles and their joining, most of this file, would stay.
 */

/** A `TextRun`, without its type. */
export interface Run {
  readonly text: string;
  readonly weight?: "bolder";
  readonly size?: "medium";
  readonly italic?: true;
  readonly strikethrough?: true;
  readonly fontType?: "monospace";
  readonly underline?: true;
  readonly selectAction?: { readonly type: "Action.OpenUrl"; readonly url: string };
}

type Style = Omit<Run, "text">;

const HEADING = /^\s*#{1,6}\s+/;
const ITEM = /^\s*[-*+]\s+/;
/** Marks within one another. */
const MAX_DEPTH = 4;
const WITHIN = String.raw`(?:\\.|[^\\])+?`;
const MARK = new RegExp(
  [
    "\\\\(?<escaped>[!-/:-@[-`{-~])",
    "`(?<code>(?:\\\\.|[^`\\\\])+)`",
    "\\[(?<label>(?:\\\\.|[^\\]\\\\])+)\\]\\((?<url>(?:\\\\.|[^)\\s\\\\])+)\\)",
    `\\*\\*(?=\\S)(?<bold>${WITHIN})(?<=\\S)\\*\\*`,
    `(?<!\\w)__(?=\\S)(?<strong>${WITHIN})(?<=\\S)__(?!\\w)`,
    `(?<![\\w*])\\*(?=[^\\s*])(?<italic>${WITHIN})(?<=[^\\s*])\\*(?![\\w*])`,
    `(?<!\\w)_(?=[^\\s_])(?<emphasis>${WITHIN})(?<=[^\\s_])_(?!\\w)`,
    `~~(?=\\S)(?<struck>${WITHIN})(?<=\\S)~~`,
  ].join("|"),
  "u",
);

/** One line; none where it is blank. */
export function markedRuns(line: string): Run[] {
  if (line.trim() === "") return [];
  if (HEADING.test(line)) return joined(runsOf(line.replace(HEADING, ""), { weight: "bolder", size: "medium" }, 0));
  return joined(runsOf(line.replace(ITEM, "• "), {}, 0));
}

function runsOf(text: string, style: Style, depth: number): Run[] {
  const runs: Run[] = [];
  let rest = text;
  while (rest !== "") {
    const found = depth > MAX_DEPTH ? null : MARK.exec(rest);
    if (found === null) return [...runs, { ...style, text: unescaped(rest) }];
    if (found.index > 0) runs.push({ ...style, text: rest.slice(0, found.index) });
    runs.push(...ofMark(found.groups!, style, depth + 1));
    rest = rest.slice(found.index + found[0].length);
  }
  return runs;
}

function ofMark(groups: Readonly<Record<string, string | undefined>>, style: Style, depth: number): Run[] {
  const { escaped, code, label, url, bold = groups.strong, italic = groups.emphasis, struck } = groups;
  if (escaped !== undefined) return [{ ...style, text: escaped }];
  if (code !== undefined) return [{ ...style, fontType: "monospace", text: unescaped(code) }];
  if (bold !== undefined) return runsOf(bold, { ...style, weight: "bolder" }, depth);
  if (italic !== undefined) return runsOf(italic, { ...style, italic: true }, depth);
  if (struck !== undefined) return runsOf(struck, { ...style, strikethrough: true }, depth);
  const to = unescaped(url!);
  // What is no address of a page is shown: nobody follows it by mistake.
  if (!/^https?:\/\//i.test(to) || !URL.canParse(to)) return runsOf(`${label} (${url})`, style, depth);
  return runsOf(label!, { ...style, underline: true, selectAction: { type: "Action.OpenUrl", url: to } }, depth);
}

function unescaped(text: string): string {
  return text.replace(/\\([!-/:-@[-`{-~])/g, "$1");
}

/** Neighbours of the same style are one run: each takes room. */
function joined(runs: readonly Run[]): Run[] {
  const found: Run[] = [];
  for (const run of runs) {
    const last = found.at(-1);
    if (last !== undefined && styleOf(last) === styleOf(run))
      found[found.length - 1] = { ...last, text: last.text + run.text };
    else found.push(run);
  }
  return found;
}

function styleOf({ text: _, ...style }: Run): string {
  return JSON.stringify(style);
}
