/**
 * Rows of CSV as RFC 4180 has them, safe to open in a spreadsheet. A program that opens a CSV takes a cell that begins with one of
 * = + - @ (or a tab or a line break before them) as a formula, and a formula may read files and call addresses. Such a cell gets an
 * apostrophe in front, which spreadsheets show as text, unless it is a plain number. `originalText` takes it off again.
 */

/** With apostrophes before it too, so that taking one off gives exactly what was written. Full-width signs count in some locales. */
const FORMULA = /^'*[\s\0]*[=+\-@\t\r\n＝＋－＠]/;
/** Digits with a sign, marks of decimals and thousands and an exponent: no formula can be made of these. */
const PLAIN_NUMBER = /^[+-]?(?:\d[\d.,]*|[.,]\d+)(?:e[+-]?\d+)?$/i;

/** A row with its line end. Null and undefined are empty cells. */
export function csvRow(cells: readonly unknown[], delimiter = ","): string {
  return `${cells.map((cell) => csvCell(cell, delimiter)).join(delimiter)}\n`;
}

function csvCell(cell: unknown, delimiter: string): string {
  const text = inert(String(cell ?? ""));
  const quoted = /["\r\n]/.test(text) || text.includes(delimiter);
  return quoted ? `"${text.replaceAll('"', '""')}"` : text;
}

function inert(text: string): string {
  return FORMULA.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text;
}

/** The text of a cell that `csvRow` wrote. */
export function originalText(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell;
}
