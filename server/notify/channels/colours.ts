/** Colours of severities, white on each is legible (WCAG AA). What they say stands beside them as a word too. */
const COLOURS: Readonly<Record<string, string>> = {
  critical: "#b3261e",
  high: "#a94400",
  medium: "#7a5900",
  low: "#3a5f8a",
  resolved: "#23703a",
};
const OTHER_COLOUR = "#555555";

/** @param severity in lower case, or "resolved" */
export function colourOf(severity: string): string {
  return Object.hasOwn(COLOURS, severity) ? COLOURS[severity]! : OTHER_COLOUR;
}
