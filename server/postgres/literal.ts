/** Values inside the text of a statement. */

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/**
 * Any value as a `jsonb` expression. Its text goes in hexadecimal: whatever is in it, and however the server reads quotes and
 * backslashes, nothing of it is read as SQL. What PostgreSQL's text cannot hold, lone surrogates and NUL, is replaced.
 */
export function jsonb(value: unknown): string {
  return `convert_from(decode('${Buffer.from(jsonText(value)).toString("hex")}', 'hex'), 'UTF8')::jsonb`;
}

/** Any value as JSON that a parameter of the type text can hold, to be cast; what PostgreSQL's text cannot hold is replaced. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    typeof v === "string" ? v.toWellFormed().replaceAll("\0", "\ufffd") : v,
  );
}

/** Numbers and booleans as an array literal, to be quoted. */
export function list(values: readonly (number | boolean)[]): string {
  return `{${values.join(",")}}`;
}
