/** What of a template cannot be taken, or failed when it was filled in. */
export class TemplateProblem extends Error {
  /** Of the character in its text where it is. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.name = "TemplateProblem";
    this.offset = offset;
  }
}

/** Line and column of a place in a text, from 1. */
export function placeIn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}
