import { isScalar, isSeq, parseDocument } from "yaml";
import { YAML } from "./read/source.ts";

/** What `templates` of a configuration names, as it is written; nothing where the text is none: whoever reads it says what is wrong. */
export function templateGlobs(text: string): string[] {
  const templates = parseDocument(text, YAML).get("templates", true);
  if (!isSeq(templates)) return [];
  return templates.items.flatMap((item) => (isScalar(item) ? [String(item.value)] : []));
}
