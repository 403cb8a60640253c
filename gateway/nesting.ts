/** How deep JSON may be nested: past it a recursion of some library, or of JSON.stringify, overflows the stack. And how much it may hold. */

/** protobuf's own parsers stop at 100; nothing that a person writes comes near. */
export const MAX_METADATA_DEPTH = 32;
/** Names and values in metadata: more would not fit into the bytes that the services take. */
export const MAX_METADATA_VALUES = 8_192;
/** Of a whole body: metadata stands in a reading. */
export const MAX_BODY_DEPTH = 64;

/** Whether lists and objects are nested in the value more than `levels` deep. Looks no deeper than that, and copies nothing. */
export function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const inner of value) if (typeof inner === "object" && deeperThan(inner, levels - 1)) return true;
    return false;
  }
  for (const name in value) if (deeperThan((value as Record<string, unknown>)[name], levels - 1)) return true;
  return false;
}
