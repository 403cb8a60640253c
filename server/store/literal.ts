/** Values inside the text of a statement. */

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * Any value as a `jsonb` expression. Its text goes in hexadecimal: whatever is in it, and however the server reads quotes and
 * backslashes, nothing of it is read as SQL.
 */
export function jsonb(value: unknown): string {
  const text = JSON.stringify(value, (_key, v: unknown) => (typeof v === "string" ? v.toWellFormed() : v));
  return `convert_from(decode('${Buffer.from(text).toString("hex")}', 'hex'), 'UTF8')::jsonb`;
}

/** Numbers and booleans as an array literal, to be quoted. */
export function list(values: readonly (number | boolean)[]): string {
  return `{${values.join(",")}}`;
}
