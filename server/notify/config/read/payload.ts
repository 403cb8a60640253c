/** JSON that a configuration writes as YAML, with templates in its names and texts. */
import { JsonTemplate, type JsonText } from "../../templates/json-template.ts";
import { Stop } from "./source.ts";
import type { Value } from "./value.ts";

/** Of objects and lists within each other. */
const MAX_PAYLOAD_DEPTH = 20;

/** An object; `maxBytes` of it filled in. */
export function readPayload(value: Value | undefined, maxBytes: number): JsonTemplate | undefined {
  if (value === undefined) return undefined;
  if (value.kind !== "object")
    return value.problem("is no object: write names with values, such as text: '{{ .Status }}'.");
  return new JsonTemplate(readTree(value, maxBytes, 0), { file: value.path, maxBytes });
}

function readTree(value: Value, most: number, depth: number): JsonText {
  if (depth > MAX_PAYLOAD_DEPTH) {
    value.problem(`is deeper than ${MAX_PAYLOAD_DEPTH} levels: take levels out.`);
    throw new Stop();
  }
  const options = { mode: "text", most, isWhole: true } as const;
  if (value.kind === "list") return value.items().map((item) => readTree(item, most, depth + 1));
  if (value.kind === "object")
    return new Map(value.templatedEntries(options).map(([name, each]) => [name, readTree(each, most, depth + 1)]));
  return value.isNothing ? "null" : (value.templated(options) ?? "");
}
