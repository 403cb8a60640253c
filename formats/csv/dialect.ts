/** Which character stands between the cells, from the first lines of a file or as the user says. */

import { isTimeLike } from "./calendar.ts";
import { isName } from "./names.ts";
import { evidenceOf } from "./numbers.ts";
import { CsvProblem, quoted } from "./problem.ts";

const CANDIDATES = [",", ";", "\t", "|"] as const;
/** Lines looked at. */
const LINES = 200;
/** Of them, this share must have as many cells as the first: a bad row here and there does not decide. */
const SAME = 0.8;

const WORDS: Readonly<Record<string, string>> = {
  comma: ",",
  semicolon: ";",
  tab: "\t",
  "\\t": "\t",
  pipe: "|",
  space: " ",
};

/** A delimiter as people write it on a command line. */
export function delimiterOf(text: string): string {
  const delimiter = WORDS[text.toLowerCase()] ?? text;
  if (delimiter.length === 1 && !/["\r\n#\d]/.test(delimiter)) return delimiter;
  throw new CsvProblem(`the delimiter ${quoted(text)} is not one character, or tab, comma, semicolon, pipe, space.`);
}

/**
 * @param head the first lines, the last of which may be cut
 * @throws CsvProblem where more than one delimiter fits
 */
export function detectDelimiter(head: string, decimal: "." | "," | undefined, complete: boolean): string {
  const lines = linesOf(head, complete);
  const fitting = CANDIDATES.filter((delimiter) => fits(lines, delimiter));
  const preferred = decimal === "," && fitting.length > 1 ? fitting.filter((each) => each !== ",") : fitting;
  if (preferred.length === 1) return preferred[0]!;
  if (preferred.length === 0) return oneColumn(lines, decimal);
  const scores = preferred.map((delimiter) => score(lines, delimiter));
  const best = Math.max(...scores);
  const found = preferred.filter((_, i) => scores[i] === best);
  if (found.length === 1) return found[0]!;
  const names = found.map((each) => quoted(each)).join(" and ");
  throw new CsvProblem(`the first line ${quoted(lines[0] ?? "")} fits the delimiters ${names}: --delimiter decides.`);
}

function linesOf(head: string, complete: boolean): string[] {
  const all: string[] = [];
  let open = false;
  for (const line of head.split(/\r\n|\n|\r/)) {
    // A line break inside quotes belongs to the cell.
    if (open) all[all.length - 1] += ` ${line}`;
    else all.push(line);
    if ((line.split('"').length - 1) % 2 === 1) open = !open;
  }
  if (!complete && all.length > 1) all.pop();
  return all.filter((line) => line.trim() !== "" && !line.startsWith("#")).slice(0, LINES);
}

/** The cells of a line, roughly: quotes are minded, line breaks in them are not. */
function split(line: string, delimiter: string): string[] {
  const cells = [""];
  let quoted = false;
  for (const c of line) {
    if (c === '"') quoted = !quoted;
    if (c === delimiter && !quoted) cells.push("");
    else cells[cells.length - 1] += c;
  }
  return cells;
}

function fits(lines: readonly string[], delimiter: string): boolean {
  const wanted = lines.length === 0 ? 0 : split(lines[0]!, delimiter).length;
  if (wanted < 2) return false;
  const same = lines.filter((line) => split(line, delimiter).length === wanted).length;
  return same >= lines.length * SAME;
}

/** How many cells are what a sensor file has: known names in the first line, times and numbers below. */
function score(lines: readonly string[], delimiter: string): number {
  return lines.reduce((sum, line, i) => {
    const cells = split(line, delimiter).map((cell) => cell.replaceAll('"', "").trim());
    const known = cells.filter(
      (cell) => (i === 0 && isName(cell)) || isTimeLike(cell) || evidenceOf(cell) !== undefined || cell === "",
    );
    return sum + known.length / cells.length / lines.length;
  }, 0);
}

/** A file of one column: a comma in it is a decimal mark or a cell too many, and only the user knows. */
function oneColumn(lines: readonly string[], decimal: "." | "," | undefined): string {
  if (decimal === ",") return ";";
  const at = lines.findIndex((line, i) => i > 0 && /\d,\d/.test(line) && !lines[0]!.includes(","));
  if (at < 0) return lines.some((line) => line.includes(";")) && !lines.some((l) => l.includes(",")) ? ";" : ",";
  throw new CsvProblem(
    `line ${at + 1} is ${quoted(lines[at]!)} and the first line has one cell: a decimal comma or one cell too many? ` +
      "--decimal , or --delimiter decides.",
  );
}
