/** Pieces of the reference pages. Tables are not wrapped; everything else is, at 120 characters. */

const LINE = 120;

/** A table with one row per entry; a cell's line breaks and bars are made harmless. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function cell(text: string): string {
  return text
    .replaceAll("|", "\\|")
    .replace(/\s*\n\s*/g, " ")
    .trim();
}

/** A paragraph, wrapped. */
export function paragraph(text: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.trim().split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > LINE) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\n");
}

export function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

/** The page's head says where it comes from, so that nobody edits it. */
export function page(title: string, source: string, ...parts: readonly string[]): string {
  return `${[`# ${title}`, `<!-- Generated from ${source} by \`npm run generate\`: do not edit. -->`, ...parts].join("\n\n")}\n`;
}

/** The text as a sentence: begins with a capital unless its first word has a spelling of its own (gRPC, postgresql://), ends with a full stop. */
export function sentence(text: string): string {
  const trimmed = ended(text);
  return /^[a-z]+\b(?!:\/\/)/.test(trimmed) ? trimmed[0]!.toUpperCase() + trimmed.slice(1) : trimmed;
}

/** The text with a full stop. It begins as it does: a value that somebody is to copy keeps its spelling. */
export function ended(text: string): string {
  const trimmed = text.trim();
  return trimmed === "" || /[.!?:]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
