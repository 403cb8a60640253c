/** Cuts a JSON array into the texts of its elements as it streams by; each is parsed by itself, so a bad one spoils no other. */

export interface Element {
  readonly text: string;
  /** Line on which it begins, from 1. */
  readonly line: number;
}

/** Throws, naming the line, where the array is not one: something after its end, an element without end, no end at all. */
export async function* elements(
  chunks: AsyncIterable<string>,
  file: string,
  maxCharacters: number,
): AsyncGenerator<Element> {
  let depth = 0;
  let inString = false;
  let escaped = false;
  let line = 1;
  let startLine = 1;
  let begun = false;
  let ended = false;
  let text = "";
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const c = chunk[at]!;
      if (c === "\n") line++;
      if (inString) {
        if (escaped) escaped = false;
        else if (c === "\\") escaped = true;
        else if (c === '"') inString = false;
        continue;
      }
      if (c === " " || c === "\n" || c === "\r" || c === "\t" || c === "\ufeff") continue;
      if (ended) throw new Error(`${file}, line ${line}: ${JSON.stringify(c)} comes after the end of the array.`);
      const closes = c === "]" || c === "}";
      if (depth === 1 && (c === "," || closes)) {
        text += chunk.slice(from, at);
        if (begun) yield { text, line: startLine };
        text = "";
        begun = false;
        from = at + 1;
        ended = closes;
        if (closes) depth = 0;
        continue;
      }
      if (depth === 0) from = at + 1;
      else if (!begun) {
        begun = true;
        startLine = line;
      }
      if (c === '"') inString = true;
      else if (c === "[" || c === "{") depth++;
      else if (closes) depth--;
    }
    if (depth > 0) text += chunk.slice(from);
    if (text.length > maxCharacters) {
      throw new Error(`${file}, line ${startLine}: an element is longer than ${maxCharacters} characters.`);
    }
  }
  if (!ended) throw new Error(`${file}, line ${startLine}: the array does not end; the file was cut off.`);
}
