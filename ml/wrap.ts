/** Lines of the documentation have at most so many characters. */
const MAX_CHARACTERS = 120;

/** Markdown with its paragraphs and list items filled anew; headings and tables, one line each, stay. Without code blocks. */
export function wrapped(lines: readonly string[]): string[] {
  const done: string[] = [];
  let open: string | undefined;
  const close = () => {
    if (open !== undefined) done.push(...filled(open));
    open = undefined;
  };
  for (const line of lines) {
    const alone = line === "" || /^[#|]/.test(line);
    if (alone || line.startsWith("- ")) close();
    if (alone) done.push(line);
    else open = open === undefined ? line : `${open} ${line.trimStart()}`;
  }
  close();
  return done;
}

function filled(paragraph: string): string[] {
  const indent = paragraph.startsWith("- ") ? "  " : "";
  const lines: string[] = [];
  let line = "";
  for (const word of paragraph.split(/ +/)) {
    if (line !== "" && [...line].length + 1 + [...word].length > MAX_CHARACTERS) {
      lines.push(line);
      line = `${indent}${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
