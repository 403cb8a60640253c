/**
 * Text that others wrote, as it may stand on a terminal: on one line, with what a terminal would obey (controls, separators, changes
 * of direction) escaped.
 */
export function inert(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
